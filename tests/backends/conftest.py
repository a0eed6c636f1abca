"""Small real trials, and a place of its own for everything that a private Ray leaves on a machine."""

import copy
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.on_ray.backend import RayBackend
from craftc.runtime.on_ray.sweeper import holders
from craftc.schemas.plan import Headline, Job, JobResources, Plan, Trial

CONFIG = {
    "data": {
        "source": {"kind": "digits"},
        "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0},
        "normalize": {"kind": "per_line"},
        "augment": [],
    },
    "model": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [8]},
    "objective": {"kind": "cross_entropy", "metrics": [{"kind": "accuracy"}]},
    "regularization": {"clip_grad_norm": "none", "ema_decay": "none"},
    "training": {
        "epochs": 3,
        "batch_size": 128,
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "schedule": [{"kind": "constant"}],
        "early_stopping": "none",
    },
    "evaluation": {"select": {"metric": "valid/loss", "mode": "min"}},
}

BACKENDS = {"inline": InlineBackend, "ray": RayBackend}


@pytest.fixture(scope="session")
def make_trial() -> Callable[..., Trial]:
    def make(seed: int, *, endless: bool = False, lr: float = 0.01) -> Trial:
        """Three epochs of some milliseconds; an endless one takes minutes in steps of some 30 ms."""
        config = copy.deepcopy(CONFIG)
        config["training"] |= {"epochs": 5000, "batch_size": 16} if endless else {}
        config["training"]["optimizer"]["lr"] = lr
        trial_id = hashlib.sha256(json.dumps([seed, config]).encode()).hexdigest()
        return Trial(id=trial_id, variant=f"lr={lr}", seed=seed, config=config)

    return make


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., Plan]:
    def make(*jobs: list[Trial], cpu: int = 1, gpu: float = 0.0, max_concurrent: int | None = None) -> Plan:
        return Plan(
            name="conformance",
            baseline=jobs[0][0].variant if jobs else "none",
            headline=Headline(split="test", metric="accuracy", mode="max"),
            trials=tuple(trial for job in jobs for trial in job),
            jobs=tuple(
                Job(trials=tuple(trial.id for trial in job), resources=JobResources(cpu=cpu, gpu=gpu)) for job in jobs
            ),
            max_concurrent=max_concurrent,
        )

    return make


class Home:
    """The temporary folder of everything that a test starts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def assert_clean(self, within_s: float = 0.0) -> None:
        """No file is left in it, and no process that has one open, this one aside: Ray never closes its log."""
        deadline = time.monotonic() + within_s
        while any(left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == ([], [])

    def _left(self) -> tuple[list[str], list[int]]:
        files = [path.name for path in self.path.glob("craftc-*")]
        return files, [pid for pid in holders(self.path) if pid != os.getpid()]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    # pytest finds its own folder by the same setting, once.
    tmp_path_factory.getbasetemp()
    # Not below pytest's own folder: Ray's sockets need a short path.
    path = Path(tempfile.mkdtemp(prefix="ct-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(path))
        patch.setenv("TMPDIR", str(path))
        yield Home(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module", params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def backend_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def backend(backend_name: str, home: Home) -> InlineBackend | RayBackend:
    return BACKENDS[backend_name]()
