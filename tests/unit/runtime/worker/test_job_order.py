"""A trial comes to the same in whatever job, and whenever that is begun."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Job, Plan
from craftc.schemas.result import TrialFinished

SPEC = {
    "craftc": 1,
    "name": "order",
    "data": {"source": "digits", "augment": [{"kind": "gaussian_noise", "std": 0.1}]},
    "model": {"kind": "mlp", "hidden": [8], "dropout": 0.3},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
    "training": {"epochs": 2, "batch_size": 128, "optimizer": {"kind": "adamw"}},
    "ablation": {
        "seeds": 2,
        "grid": {"training.optimizer.lr": [0.001, 0.01], "model.hidden": [[8], [9]], "training.epochs": [1, 2]},
    },
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    plan = compile_spec(json.dumps(SPEC), "x.yaml", built_in_catalogue()).plan
    assert plan is not None
    return plan


def results(plan: Plan, folder: Path) -> dict[str, Any]:
    """All that was measured, the time that it took aside."""
    store = Store(folder)
    events = list(InlineBackend().run(plan, store))
    found = {}
    for event in events:
        if isinstance(event, TrialFinished):
            history = [(record.epoch, record.metrics) for record in store.history(event.result.trial)]
            found[event.result.trial] = (event.result.model_dump(exclude={"seconds"}), history)
    assert len(found) == len(plan.trials)
    return found


@pytest.fixture(scope="module")
def in_order(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return results(plan, tmp_path_factory.mktemp("in-order"))


def test_jobs_in_any_order(plan: Plan, in_order: dict[str, Any], tmp_path: Path) -> None:
    jobs = list(plan.jobs)
    random.Random(3).shuffle(jobs)
    assert jobs != list(plan.jobs)
    assert results(plan.model_copy(update={"jobs": tuple(jobs)}), tmp_path) == in_order


def test_all_trials_in_one_job_in_any_order(plan: Plan, in_order: dict[str, Any], tmp_path: Path) -> None:
    trials = [trial for job in plan.jobs for trial in job.trials]
    random.Random(4).shuffle(trials)
    job = Job(trials=tuple(trials), resources=plan.jobs[0].resources)
    assert results(plan.model_copy(update={"jobs": (job,)}), tmp_path) == in_order
