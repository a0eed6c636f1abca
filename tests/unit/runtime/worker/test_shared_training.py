"""Jobs whose trials share a training: the store and the events of each trial, kills, failures, other runs."""

import copy
import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, Event, TrialFinished

CONFIG: dict[str, Any] = {
    "data": {
        "source": {"kind": "digits"},
        "splits": {"train": 0.6, "valid": 0.2, "test": 0.2, "stratify": True, "seed": 0},
        "normalize": {"kind": "per_line"},
        "augment": [],
    },
    "model": {"kind": "mlp", "num_features": "infer", "num_classes": "infer", "hidden": [8], "dropout": 0.2},
    "objective": {"kind": "cross_entropy", "metrics": [{"kind": "accuracy"}]},
    "regularization": {"clip_grad_norm": "none", "ema_decay": "none"},
    "training": {
        "epochs": 4,
        "batch_size": 128,
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "schedule": [{"kind": "constant", "epochs": "none"}],
        "early_stopping": "none",
    },
    "evaluation": {"select": {"metric": "valid/loss", "mode": "min"}},
}
SETTINGS: list[dict[str, dict[str, Any]]] = [
    {},
    {"training": {"epochs": 2}},
    {"evaluation": {"select": "none"}},
    {"objective": {"metrics": [{"kind": "auroc"}, {"kind": "accuracy"}]}},
]


def make_trials(settings: list[dict[str, dict[str, Any]]] = SETTINGS, **common: dict[str, Any]) -> list[Trial]:
    """Trials that share the training of the first."""
    trials: list[Trial] = []
    for own in settings:
        config = copy.deepcopy(CONFIG)
        for section in (common, own):
            for name, values in section.items():
                config[name] |= values
        trial_id = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        leader = trials[0].id if trials else None
        trials.append(Trial(id=trial_id, variant="base", seed=0, config=config, shares=leader))
    return trials


def alone(trials: list[Trial]) -> list[Trial]:
    return [trial.model_copy(update={"shares": None}) for trial in trials]


def run(trials: list[Trial], store: Store) -> list[Event]:
    return list(run_job(trials, store=store, device="cpu", cpus=1))


def of(event: Event) -> str:
    match event:
        case EpochEnded(record=record):
            return record.trial
        case TrialFinished(result=result):
            return result.trial
        case _:
            return str(event.trial)  # type: ignore[union-attr]


def by_trial(events: list[Event]) -> dict[str, list[Any]]:
    """Each trial's own events, in order, without the clock."""
    told: dict[str, list[Any]] = {}
    for event in events:
        plain = event.model_dump(exclude={"record": {"seconds"}, "result": {"seconds"}, "traceback": True})
        told.setdefault(of(event), []).append(plain)
    return told


def kept(store: Store, trials: list[Trial]) -> list[Any]:
    """All that the store holds of each trial, without the clock."""
    return [
        (
            store.result(trial.id).model_dump(exclude={"seconds"}),
            [record.model_dump(exclude={"seconds"}) for record in store.history(trial.id)],
            (store.folder(trial.id) / "config.json").read_text(),
        )
        for trial in trials
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_events_and_files_of_each_trial_are_those_of_a_trial_alone(store: Store, tmp_path: Path) -> None:
    trials, apart = make_trials(), Store(tmp_path / "apart")
    events = run(trials, store)
    assert by_trial(events) == by_trial(run(alone(trials), apart))
    assert kept(store, trials) == kept(apart, trials)
    # Together: the second epoch of the last comes before the third of the first.
    epochs = [(event.record.trial, event.record.epoch) for event in events if isinstance(event, EpochEnded)]
    assert epochs.index((trials[3].id, 2)) < epochs.index((trials[0].id, 3))


def test_what_an_event_tells_is_in_the_store_before_it_is_told(store: Store) -> None:
    for event in run_job(make_trials(), store=store, device="cpu", cpus=1):
        if isinstance(event, EpochEnded):
            assert event.record in store.history(event.record.trial)
        if isinstance(event, TrialFinished):
            assert store.result(event.result.trial) == event.result


def test_a_finished_member_is_left_out(store: Store) -> None:
    trials = make_trials()
    run(alone(trials[:1]), store)
    told = by_trial(run(trials, store))
    assert [event["type"] for event in told[trials[0].id]] == ["finished"]
    assert told[trials[0].id][0]["reused"]
    assert all(told[trial.id][0]["type"] == "started" for trial in trials[1:])


def test_a_loss_that_is_no_number_fails_all_that_are_not_over(store: Store, tmp_path: Path) -> None:
    # One step an epoch: the first with a small rate, the second with one beyond all bounds.
    training = CONFIG["training"] | {
        "batch_size": 2000,
        "optimizer": {"kind": "sgd", "lr": 1e30},
        "schedule": [{"kind": "linear_warmup", "epochs": 1, "start_lr": 1e-4}, {"kind": "constant", "epochs": "none"}],
    }
    own = [{"training": training}, {"training": training | {"epochs": 1}}, {"evaluation": {"select": "none"}}]
    trials = make_trials(own, training=training)
    told = by_trial(run(trials, store))
    assert [events[-1]["type"] for events in told.values()] == ["failed", "finished", "failed"]
    assert [events[-1].get("epoch") for events in told.values()] == [2, None, 2]
    assert told == by_trial(run(alone(trials), Store(tmp_path / "apart")))


def test_two_processes_that_share_trials_in_other_orders_both_end(store: Store) -> None:
    trials = make_trials()
    turned = [trials[3], trials[1], trials[0], trials[2]]
    results: dict[int, list[Event]] = {}
    threads = [
        threading.Thread(target=lambda n, order: results.update({n: run(order, store)}), args=(n, order))
        for n, order in enumerate((trials, turned))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=600)
    assert sorted(results) == [0, 1]
    ends = [event for events in results.values() for event in events if isinstance(event, TrialFinished)]
    assert len(ends) == 8
    assert sum(event.reused for event in ends) == 4, "each trial is trained once"


def test_a_metric_that_breaks_fails_its_own_trial_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_metrics.py").write_text(
        "from craftc.components.metrics.classification import Accuracy\n"
        "class Broken(Accuracy):\n"
        "    def compute(self):\n"
        "        raise IndexError('no')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    trials = make_trials([{}, {"objective": {"metrics": [{"kind": "broken_metrics:Broken"}]}}])
    told = by_trial(run(trials, store))
    assert told[trials[0].id][-1]["type"] == "finished"
    assert [event["type"] for event in told[trials[0].id]].count("epoch") == 4
    assert (told[trials[1].id][-1]["code"], told[trials[1].id][-1]["message"]) == (
        "metric-failed",
        "metric Broken: IndexError: no (broken_metrics.py:4)",
    )


KILLED = """
import json, os, signal, sys
from pathlib import Path

import torch

from craftc.runtime.worker.job import run_job
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFailed
from craftc.training.foundation.course import Course
from craftc.training.loop import trial as _
from craftc.training.assemble import assemble
from craftc.training.data.prepare import prepare

torch.set_num_threads(1)
trials = [Trial.model_validate(trial) for trial in json.loads(sys.argv[1])]
# Once for all children: what is slow to import, and the data. No training, whose threads a fork would lose.
for trial in trials:
    assemble(trial, prepare(trial.config["data"]), torch.device("cpu"), Course(1, 1, 1, 1))


def train(root, kill_at):
    count = 0

    def counted(call):
        def wrapped(*args, **kwargs):
            nonlocal count
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)
        return wrapped

    # All by which files become what they are.
    for name in ("replace", "link", "fsync"):
        setattr(os, name, counted(getattr(os, name)))
    for event in run_job(trials, store=Store(root), device="cpu", cpus=1):
        assert not isinstance(event, TrialFailed), event
    return count


def in_a_child(root, kill_at):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(train(root, kill_at)).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), os.read(reading, 100).decode()


_, total = in_a_child(Path(sys.argv[2]) / "straight", 0)
total = int(total)
points = sorted({*range(5, total, total // 9), total // 2 + 1, total // 2 + 2, total - 1})
for point in points:
    root = Path(sys.argv[2]) / f"killed{point}"
    assert in_a_child(root, point)[0]
    # A second kill while what the first left behind is mended.
    in_a_child(root, 7)
    killed, _ = in_a_child(root, 0)
    assert not killed
print(json.dumps(points))
"""


def test_a_kill_at_any_point_changes_nothing(tmp_path: Path) -> None:
    trials = make_trials(training=CONFIG["training"] | {"epochs": 3})
    texts = json.dumps([trial.model_dump(mode="json") for trial in trials])
    command = [sys.executable, "-W", "ignore", "-c", KILLED, texts, str(tmp_path)]
    points = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert len(points) > 9
    straight = kept(Store(tmp_path / "straight"), trials)
    for point in points:
        assert kept(Store(tmp_path / f"killed{point}"), trials) == straight, point
