"""Jobs whose trainings are batches: the store, its events and results, pruning, and kills at any point."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from craftc.runtime.store.batch_findings import finding_file, findings_in
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import JobResources, Trial
from craftc.schemas.result import EpochEnded, TrialFinished, TrialPruned

CONFIG: dict[str, Any] = {
    "data": {
        "source": {"kind": "digits"},
        "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0},
        "normalize": {"kind": "per_line"},
        "augment": [],
    },
    "model": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [8], "dropout": 0.2},
    "objective": {"kind": "cross_entropy", "metrics": []},
    "regularization": {"clip_grad_norm": "none", "ema_decay": "none"},
    "training": {
        "epochs": 2,
        "batch_size": 128,
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "schedule": [{"kind": "constant", "epochs": "none"}],
        "early_stopping": "none",
    },
    "evaluation": {"select": {"metric": "valid/loss", "mode": "min"}},
}
AT_ONCE = BatchFinding(seconds={1: 1.0, 4: 1.0})
"""Four at a time take no longer than one."""


def make_trial(seed: int = 0, **sections: dict[str, Any]) -> Trial:
    config = {name: section | sections.get(name, {}) for name, section in CONFIG.items()}
    content = json.dumps([config, seed], sort_keys=True)
    trial_id = hashlib.sha256(content.encode()).hexdigest()
    return Trial(id=trial_id, variant="base", seed=seed, config=config)


def make_group(num: int = 4, **sections: Any) -> list[Trial]:
    return [make_trial(seed, **sections).model_copy(update={"group": 0}) for seed in range(num)]


def known(store: Store, trials: list[Trial], finding: BatchFinding = AT_ONCE) -> Store:
    """The store knows of the group."""
    finding_file(store, trials[0], device="cpu", cpus=1).write(finding)
    return store


def apart(trials: list[Trial]) -> list[Trial]:
    return [trial.model_copy(update={"group": None}) for trial in trials]


def assert_alike(store: Store, other: Store, trials: list[Trial]) -> None:
    for trial in trials:
        ours, theirs = (
            [
                *[(record.epoch, record.step, record.metrics) for record in each.history(trial.id)],
                (each.result(trial.id).best_epoch, each.result(trial.id).steps, each.result(trial.id).best),
            ]
            for each in (store, other)
        )
        assert [one[:2] for one in ours] == [one[:2] for one in theirs]
        for one, two in zip(ours, theirs, strict=True):
            assert one[2] == pytest.approx(two[2], rel=1e-4, abs=1e-5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_group_that_is_known_to_gain_is_one_batch(store: Store, tmp_path: Path) -> None:
    trials = make_group()
    events = []
    for event in run_job(trials, store=known(store, trials), device="cpu", cpus=1):
        events.append(event)
        if isinstance(event, EpochEnded):
            assert event.record in store.history(event.record.trial), "on disk before it is told"
        if isinstance(event, TrialFinished):
            assert store.result(event.result.trial) == event.result
            assert event.result.execution.batched == 4
    # All begin before any ends.
    assert [event.type for event in events[:4]] == ["started"] * 4
    alone = Store(tmp_path / "alone")
    assert all(
        event.result.execution.batched == 1
        for event in run_job(apart(trials), store=alone, device="cpu", cpus=1)
        if isinstance(event, TrialFinished)
    )
    assert_alike(store, alone, trials)
    again = list(run_job(trials, store=store, device="cpu", cpus=1))
    assert [event.type for event in again] == ["finished"] * 4


def test_what_cannot_be_one_batch_is_trained_all_the_same_and_its_result_says_why(store: Store) -> None:
    trials = make_group()
    known(store, trials, BatchFinding(because="model mlp: Tensor.item()"))
    events = list(run_job(trials, store=store, device="cpu", cpus=1))
    ends = [event.result.execution for event in events if isinstance(event, TrialFinished)]
    assert [(end.batched, end.alone_because) for end in ends] == [(1, "model mlp: Tensor.item()")] * 4


def test_what_is_pruned_leaves_the_batch(store: Store, tmp_path: Path) -> None:
    trials = make_group()

    def decide(record: Any) -> bool:
        return bool((record.trial, record.epoch) != (trials[1].id, 1))

    events = list(run_job(trials, store=known(store, trials), device="cpu", cpus=1, decide=decide))
    assert [event.trial for event in events if isinstance(event, TrialPruned)] == [trials[1].id]
    assert sorted(event.result.trial for event in events if isinstance(event, TrialFinished)) == sorted(
        trial.id for trial in trials if trial is not trials[1]
    )
    # Decided on again from what the store holds, and trained no further.
    again = list(run_job(trials, store=store, device="cpu", cpus=1, decide=decide))
    assert [event.type for event in again] == ["finished", "pruned", "finished", "finished"]


def test_what_another_run_trains_or_has_finished_is_left_out(store: Store) -> None:
    trials = make_group()
    list(run_job(apart(trials[:1]), store=store, device="cpu", cpus=1))
    ends = {
        event.result.trial: event
        for event in run_job(trials, store=known(store, trials), device="cpu", cpus=1)
        if isinstance(event, TrialFinished)
    }
    assert ends[trials[0].id].reused
    assert [ends[trial.id].result.execution.batched for trial in trials[1:]] == [3, 3, 3]


def test_a_finding_holds_for_other_rates_and_not_for_another_model(store: Store) -> None:
    trials = make_group()
    known(store, trials)
    finding_of = findings_in(store, ())
    resources = JobResources(workers=1, cpu=1, gpu=0.0)
    other = make_trial(7, training={"optimizer": {"kind": "adamw", "lr": 0.5}})
    assert finding_of(other, resources) == AT_ONCE
    wider = make_trial(0, model={"hidden": [9]})
    assert finding_of(wider, resources) is None
    assert finding_of(trials[0], JobResources(workers=1, cpu=2, gpu=0.0)) is None


KILLED = """
import json, os, signal, sys
from pathlib import Path

import torch

from craftc.runtime.store.batch_findings import finding_file
from craftc.runtime.worker.job import run_job
from craftc.runtime.store.store import Store
from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFailed
from craftc.training.foundation.course import Course
from craftc.training.batched_trials import train as _
from craftc.training.assemble import assemble
from craftc.training.data.prepare import prepare

torch.set_num_threads(1)
trials = [Trial.model_validate(trial) for trial in json.loads(sys.argv[1])]
# Once for all children: what is slow to import, and the data. No training, whose threads a fork would lose.
assemble(trials[0], prepare(trials[0].config["data"]), torch.device("cpu"), Course(1, 1, 1, 1))


def train(root, kill_at, trials):
    count = 0

    def counted(call):
        def wrapped(*args, **kwargs):
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)
        return wrapped

    store = Store(root)
    finding_file(store, trials[0], device="cpu", cpus=1).write(BatchFinding(seconds={1: 1.0, 4: 1.0}))
    for name in ("replace", "fsync"):
        setattr(os, name, counted(getattr(os, name)))
    for event in run_job(trials, store=store, device="cpu", cpus=1):
        assert not isinstance(event, TrialFailed), event
    return count


def in_a_child(root, kill_at, trials):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(train(root, kill_at, trials)).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), os.read(reading, 100).decode()


alone = [trial.model_copy(update={"group": None}) for trial in trials]
assert in_a_child(Path(sys.argv[2]) / "straight", 0, alone)[1]
total = int(in_a_child(Path(sys.argv[2]) / "batch", 0, trials)[1])
points = sorted({*range(3, total, total // 6), total // 2 + 1})
for number, point in enumerate(points):
    root = Path(sys.argv[2]) / f"killed{point}"
    assert in_a_child(root, point, trials)[0]
    # Alone; in part alone and the others in a batch of their own; all in a batch again.
    company = [alone, [*alone[:1], *trials[1:]], trials][number % 3]
    killed, _ = in_a_child(root, 0, company)
    assert not killed
print(json.dumps(points))
"""


def test_a_batch_that_is_killed_anywhere_goes_on_alone_or_in_any_company(tmp_path: Path) -> None:
    trials = make_group(training={"epochs": 3})
    texts = json.dumps([trial.model_dump(mode="json") for trial in trials])
    command = [sys.executable, "-W", "ignore", "-c", KILLED, texts, str(tmp_path)]
    points = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert len(points) > 6
    straight = Store(tmp_path / "straight")
    assert Store(tmp_path / "batch").result(trials[0].id).execution.batched == 4
    for point in points:
        assert_alike(Store(tmp_path / f"killed{point}"), straight, trials)
