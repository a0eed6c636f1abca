"""A Run that keeps what is reported to it, and stops where a test says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from craftc import Run
from craftc.training.programs.run import StopReason


class Recorded:
    """What a program reported: records of (step, metrics), the state of the last one, what it finished with."""

    def __init__(self, stop_at: int, reason: StopReason) -> None:
        self.records: list[tuple[int | None, dict[str, float]]] = []
        self.state: Any = None
        self.final: dict[str, float] | None = None
        self.stop_at, self.reason = stop_at, reason

    def report(self, metrics: dict[str, float], state: object, step: int | None) -> StopReason | None:
        self.records.append((step, metrics))
        self.state = self.state if state is None else state
        return self.reason if len(self.records) == self.stop_at else None

    def finish(self, metrics: dict[str, float]) -> StopReason | None:
        self.final = metrics
        return None


MakeRun = Callable[..., tuple[Run, Recorded]]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Makes a Run in a folder of a name, and what is recorded of it."""

    def make(
        name: str = "run", *, seed: int = 0, state: Any = None, stop_at: int = 0, reason: StopReason = "interrupted"
    ) -> tuple[Run, Recorded]:
        recorded = Recorded(stop_at, reason)
        (tmp_path / name).mkdir(exist_ok=True)
        return Run(recorded, seed=seed, device="cpu", folder=tmp_path / name, state=state), recorded

    return make
