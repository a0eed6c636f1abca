"""Trials of the programs in own_code/, run as a job runs them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from craftc.runtime.jobs.decide import Decide, go_on
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event

OWN_CODE = Path(__file__).parent / "own_code"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trial]:
    """A trial of a function of own_code/lab_programs.py."""
    monkeypatch.syspath_prepend(str(OWN_CODE))

    def made(name: str, *, stopping: Any = "none", select: Any = "none", seed: int = 3, **arguments: Any) -> Trial:
        config = {
            "program": {"kind": f"lab_programs:{name}", **arguments},
            "training": {"early_stopping": stopping},
            "evaluation": {"select": select},
        }
        return Trial(id=f"{seed:064x}", variant="base", seed=seed, config=config)

    return made


@pytest.fixture
def events(store: Store) -> Callable[..., Iterator[Event]]:
    def run(trial: Trial, decide: Decide = go_on) -> Iterator[Event]:
        return run_job([trial], store=store, device="cpu", cpus=1, decide=decide)

    return run
