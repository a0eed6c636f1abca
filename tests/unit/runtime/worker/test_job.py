"""A job's trials, one after another, with the store beside them."""

import copy
import hashlib
import json
import subprocess
import sys
import threading

import pytest

from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.on_ray.job_trainable import EventPump
from craftc.runtime.store.store import Store
from craftc.runtime.worker import job
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochEnded, TrialFailed, TrialFinished, TrialStarted

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
        "epochs": 2,
        "batch_size": 128,
        "optimizer": {"kind": "adamw", "lr": 0.01},
        "schedule": [{"kind": "constant"}],
        "early_stopping": "none",
    },
    "evaluation": {"select": {"metric": "valid/loss", "mode": "min"}},
}


def make_trial(seed=0, **sections):
    config = copy.deepcopy(CONFIG)
    for section, values in sections.items():
        config[section] |= values
    name = json.dumps([config, seed], sort_keys=True)
    return Trial(id=hashlib.sha256(name.encode()).hexdigest(), variant="base", seed=seed, config=config)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def run(trials, store):
    return list(run_job(trials, store=store, device="cpu", cpus=1))


def test_a_trial_is_started_trained_and_finished(store):
    trial = make_trial()
    started, first, second, finished = run([trial], store)
    assert started == TrialStarted(trial=trial.id, epoch=0)
    assert isinstance(first, EpochEnded)
    assert isinstance(second, EpochEnded)
    assert (first.record.epoch, second.record.epoch) == (1, 2)
    assert finished == TrialFinished(result=store.result(trial.id), reused=False)
    assert store.history(trial.id) == [first.record, second.record]
    assert json.loads((store.folder(trial.id) / "config.json").read_text())["model"] == CONFIG["model"]


def test_what_an_event_tells_is_in_the_store_before_it_is_told(store):
    trial = make_trial()
    for event in run_job([trial], store=store, device="cpu", cpus=1):
        if isinstance(event, EpochEnded):
            assert store.history(trial.id)[-1] == event.record
            assert (store.folder(trial.id) / "checkpoints/last.pt").exists()
            assert not store.is_finished(trial.id)
        if isinstance(event, TrialFinished):
            assert store.result(trial.id) == event.result


def test_a_finished_trial_is_not_trained_again(store):
    trial = make_trial()
    result = run([trial], store)[-1].result
    assert run([trial], store) == [TrialFinished(result=result, reused=True)]


def test_finished_trials_need_no_torch(store):
    trial = make_trial()
    run([trial], store)
    script = (
        "import sys, pathlib\n"
        "from craftc.runtime.worker.job import run_job\n"
        "from craftc.runtime.store.store import Store\n"
        "from craftc.schemas.plan import Trial\n"
        "store = Store(pathlib.Path(sys.argv[1]))\n"
        "trials = [Trial.model_validate_json(sys.argv[2])]\n"
        "events = list(run_job(trials, store=store, device='cpu', cpus=1))\n"
        "assert [event.reused for event in events] == [True]\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(store.root), trial.model_dump_json()], check=True)


def test_an_unfinished_trial_goes_on(store, tmp_path):
    trial = make_trial()
    straight = run([trial], Store(tmp_path / "straight"))
    events = run_job([trial], store=store, device="cpu", cpus=1)
    assert isinstance(next(events), TrialStarted)
    assert isinstance(next(events), EpochEnded)
    events.close()
    started, second, finished = run([trial], store)
    assert started == TrialStarted(trial=trial.id, epoch=1)
    assert second.record.metrics == straight[2].record.metrics
    assert finished.result.best == straight[3].result.best


def test_a_failing_trial_does_not_stop_the_next(store):
    good, next_good = make_trial(0), make_trial(1)
    nan = make_trial(training={"optimizer": {"kind": "adamw", "lr": 1e30}})
    kinds = [event.type for event in run([good, nan, next_good], store)]
    assert kinds == [
        "started",
        "epoch",
        "epoch",
        "finished",
        "started",
        "failed",
        "started",
        "epoch",
        "epoch",
        "finished",
    ]
    assert store.is_finished(next_good.id)
    assert not store.is_finished(nan.id)


@pytest.mark.parametrize(
    ("sections", "code", "epoch", "message"),
    [
        ({"training": {"optimizer": {"kind": "adamw", "lr": 1e30}}}, "nan-loss", 1, "the training loss became nan"),
        ({"model": {"num_classes": 12}}, "data-mismatch", None, "model.num_classes is 12, but the data has 10"),
        ({"model": {"hidden": [-1]}}, "model-not-buildable", None, "model mlp: RuntimeError"),
        ({"data": {"source": {"kind": "arrays", "path": "/nowhere.npz"}}}, "data-unreadable", None, "/nowhere.npz"),
    ],
)
def test_a_failure_says_what_and_when(store, sections, code, epoch, message):
    trial = make_trial(**sections)
    failed = run([trial], store)[-1]
    assert isinstance(failed, TrialFailed)
    assert (failed.trial, failed.code, failed.epoch) == (trial.id, code, epoch)
    assert failed.message.startswith(message) or message in failed.message
    assert "\n" not in failed.message
    assert "Traceback" in failed.traceback


def test_a_damaged_result_is_written_again(store):
    """From the last checkpoint, so that nothing is trained."""
    trial = make_trial()
    result = run([trial], store)[-1].result
    (store.folder(trial.id) / "result.json").write_text("{")
    started, finished = run([trial], store)
    assert (started.type, started.epoch) == ("started", trial.config["training"]["epochs"])
    assert finished.result == store.result(trial.id) == result


def test_a_users_own_error_is_named_by_its_class(store, tmp_path, monkeypatch):
    (tmp_path / "moody_model.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(64, 10)\n"
        "    def forward(self, x):\n"
        "        if self.training:\n"
        "            raise ZeroDivisionError('not today')\n"
        "        return super().forward(x.flatten(1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    trial = make_trial()
    trial = trial.model_copy(update={"config": trial.config | {"model": {"kind": "moody_model:Net"}}})
    failed = run([trial], store)[-1]
    assert (failed.code, failed.message) == ("trial-crashed", "ZeroDivisionError: not today (moody_model.py:7)")
    assert "moody_model.py" in failed.traceback


def test_an_interrupt_passes_through_and_leaves_the_trial_resumable(store, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    trial = make_trial()
    events = run_job([trial], store=store, device="cpu", cpus=1)
    next(events)
    next(events)
    monkeypatch.setattr("craftc.training.loop.training.train_steps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(events)
    monkeypatch.undo()
    assert run([trial], store)[0] == TrialStarted(trial=trial.id, epoch=1)


def test_two_runs_train_a_trial_once(store):
    trial, kinds = make_trial(), []
    first = run_job([trial], store=store, device="cpu", cpus=1)
    next(first)
    second = threading.Thread(target=lambda: kinds.extend(event.type for event in run([trial], store)))
    second.start()
    list(first)
    second.join(timeout=600)
    assert kinds == ["finished"]
    assert len(store.history(trial.id)) == 2


def test_what_short_trials_write_waits_for_others_and_is_told_when_it_is_there(store, tmp_path):
    trials = [make_trial(seed) for seed in range(3)]
    seconds = {"record": {"seconds"}, "result": {"seconds"}}
    straight = [event.model_dump(exclude=seconds) for event in run(trials, store)]
    waiting, told = Store(tmp_path / "waiting"), []
    for event in run_job(trials, store=waiting, device="cpu", cpus=1, delay_s=60):
        # Only that the first begins has nothing to wait for.
        assert not told or all(waiting.is_finished(trial.id) for trial in trials)
        told.append(event.model_dump(exclude=seconds))
    assert told == straight
    for trial in trials:
        assert sorted(path.name for path in store.folder(trial.id).rglob("*")) == sorted(
            path.name for path in waiting.folder(trial.id).rglob("*")
        )
        with waiting.lock(trial.id, timeout_s=0):
            pass


def test_a_kill_while_files_wait_loses_nothing(store, tmp_path):
    trials = [make_trial(seed, training={"epochs": 40}) for seed in range(2)]
    script = (
        "import json, os, pathlib, sys\n"
        "from craftc.runtime.worker import job\n"
        "from craftc.runtime.store.store import Store\n"
        "from craftc.schemas.plan import Trial\n"
        "from craftc.training.loop import training\n"
        "store = Store(pathlib.Path(sys.argv[1]))\n"
        "trials = [Trial.model_validate(trial) for trial in json.loads(sys.argv[2])]\n"
        "saved = training.save_trainings\n"
        "def save_trainings(taken, write_buffer):\n"
        "    saved(taken, write_buffer)\n"
        "    if taken[0][0].trial.id == trials[1].id and taken[0][1][0].epoch == 5:\n"
        "        os.kill(os.getpid(), 9)\n"
        "training.save_trainings = save_trainings\n"
        "for event in job.run_job(trials, store=store, device='cpu', cpus=1, delay_s=60):\n"
        "    print(event.type)\n"
    )
    plain = json.dumps([trial.model_dump(mode="json") for trial in trials])
    command = [sys.executable, "-u", "-c", script, str(store.root), plain]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stdout) == (-9, "started\n"), killed.stderr
    assert not any(store.is_finished(trial.id) for trial in trials)
    run(trials, store)
    straight = Store(tmp_path / "straight")
    run(trials, straight)
    for trial in trials:
        records = [[record.metrics for record in each.history(trial.id)] for each in (store, straight)]
        assert records[0] == records[1]
        assert store.result(trial.id).best == straight.result(trial.id).best


def test_a_disk_that_takes_nothing_fails_the_trials_that_wait(store, monkeypatch):
    trials = [make_trial(seed) for seed in range(2)]

    def full(files, flush=()):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("craftc.training.state.write_buffer.write_together", full)
    events = list(run_job(trials, store=store, device="cpu", cpus=1, delay_s=60))
    assert [event.trial for event in events if isinstance(event, TrialFailed)] == [trial.id for trial in trials]
    assert not any(isinstance(event, TrialFinished | EpochEnded) for event in events)
    assert "No space left on device" in events[-1].message


def test_behind_a_trial_that_took_the_device_away_nothing_is_begun(store, monkeypatch):
    bad, good = make_trial(model={"num_classes": 3}), make_trial(seed=1)
    # What a GPU says after an index that was out of bounds, which only one can say.
    monkeypatch.setattr(job, "_loss_of", lambda device: "device-side assert triggered")
    told, events = [], run_job([bad, good], store=store, device="cpu", cpus=1, delay_s=60)
    with pytest.raises(BackendError, match="cpu cannot be used by this process any more: device-side") as caught:
        told.extend(events)
    assert caught.value.code == "device-lost"
    assert isinstance(told[-1], TrialFailed)
    assert {event.trial for event in told} == {bad.id}
    monkeypatch.undo()
    assert isinstance(run([good], store)[-1], TrialFinished)


def test_what_happened_before_a_job_broke_is_told():
    def events():
        yield TrialStarted(trial="a", epoch=0)
        raise SystemExit(3)

    pump = EventPump(events())
    told, over = pump.take()
    assert told == [TrialStarted(trial="a", epoch=0)]
    assert not over
    with pytest.raises(RuntimeError, match="the job ended by SystemExit: 3"):
        pump.take()
