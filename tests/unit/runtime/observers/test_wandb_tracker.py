"""What real wandb writes in offline mode is what the store holds."""

import contextlib
import copy
import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from craftc.runtime.execute import execute
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.observers.background_observer import InBackground
from craftc.runtime.observers.factors import Factors
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.runtime.observers.wandb_contents import flatten
from craftc.runtime.observers.wandb_tracker import WandbTracker
from craftc.runtime.store.run_folder import create_run
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Headline, Job, Plan, Trial
from craftc.schemas.result import EpochEnded, TrialFailed, TrialStarted

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

# What a user's shell may hold, and what each would turn our runs into.
MISLEADING = {
    "WANDB_RUN_ID": "fixed",
    "WANDB_SWEEP_ID": "abcd1234",
    "WANDB_PROJECT": "another",
    "WANDB_RUN_GROUP": "another",
    "WANDB_NAME": "another",
    "WANDB_MODE": "disabled",
    "WANDB_RESUME": "must",
}


def offline_tracker(folder, store, project="stm"):
    run = TrackedRun(folder.path, store, Factors(axes={}), print)
    return WandbTracker(run, project=project, mode="offline")


def make_trial(seed, lr=0.01):
    config = copy.deepcopy(CONFIG)
    config["training"]["optimizer"]["lr"] = lr
    return Trial(
        id=hashlib.sha256(json.dumps([seed, config]).encode()).hexdigest(), variant=f"lr={lr}", seed=seed, config=config
    )


def make_plan(*trials):
    return Plan(
        name="tracked",
        baseline=trials[0].variant,
        headline=Headline(split="test", metric="accuracy", mode="max"),
        trials=trials,
        jobs=tuple(Job(trials=(trial.id,)) for trial in trials),
    )


def records(path: Path):
    """The wandb Records of a .wandb file: LevelDB's log format after a header of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    content, position, parts = path.read_bytes(), 7, b""
    assert content[:4] == b":W&B"
    while position + 7 <= len(content):
        left_in_block = 32768 - position % 32768
        if left_in_block < 7:
            position += left_in_block
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + 7])
        parts += content[position + 7 : position + 7 + length]
        position += 7 + length
        # 1: whole; 2, 3, 4: first, middle and last part of a record that spans blocks.
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def read_back(folder: Path):
    """W&B runs by name: what each says of itself, its rows, its summary and its exit code."""
    runs = {}
    for path in folder.glob("wandb/*/*.wandb"):
        run = {"rows": [], "summary": {}}
        for record in records(path):
            match record.WhichOneof("record_type"):
                case "run":
                    config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
                    run |= {
                        "id": record.run.run_id,
                        "project": record.run.project,
                        "group": record.run.run_group,
                        "job_type": record.run.job_type,
                        "name": record.run.display_name,
                        "sweep": record.run.sweep_id,
                        "host": record.run.host,
                        "config": {key: value for key, value in config.items() if key != "_wandb"},
                    }
                case "history":
                    run["rows"].append(values(record.history.item))
                case "summary":
                    run["summary"] |= values(record.summary.update)
                case "exit":
                    run["exit_code"] = record.exit.exit_code
        runs[run["name"]] = run
    return runs


def values(items):
    """Wandb writes a key either whole or as the parts of a nested one."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def services():
    """The wandb-core processes that this process has started and that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, name, state, parent = re.match(r"(\d+) \((.*)\) (\S) (\d+)", path.read_text()).groups()
            if name == "wandb-core" and state != "Z" and int(parent) == os.getpid():
                found.append(int(pid))
    return found


@pytest.fixture(autouse=True)
def misleading_environment(monkeypatch):
    for name, value in MISLEADING.items():
        monkeypatch.setenv(name, value)


def tracked(tmp_path, store, plan, warn):
    folder = create_run(tmp_path / "runs", plan, "")
    tracker = offline_tracker(folder, store)
    observer = InBackground(tracker, name="W&B", warn=warn)
    execute(plan, store=store, backend=InlineBackend(), observers=[observer], run_folder=folder)
    return folder


def metrics_of(row):
    return {key: value for key, value in row.items() if not key.startswith("_")}


def test_every_row_is_the_stores(tmp_path):
    store, warnings = Store(tmp_path / "store"), []
    plan = make_plan(make_trial(0), make_trial(1), make_trial(0, lr=1e30))
    folder = tracked(tmp_path, store, plan, warnings.append)
    assert warnings == []
    assert services() == []
    assert {name: os.environ[name] for name in MISLEADING} == MISLEADING
    runs = read_back(folder.path)
    assert set(runs) == {"lr=0.01/seed0", "lr=0.01/seed1", "lr=1e+30/seed0"}
    assert len({run["id"] for run in runs.values()}) == 3
    for trial in plan.trials[:2]:
        run, result = runs[f"{trial.variant}/seed{trial.seed}"], store.result(trial.id)
        about = {key: run[key] for key in ("project", "group", "job_type", "sweep", "host", "exit_code")}
        assert about == {
            "project": "stm", "group": folder.run_name, "job_type": trial.variant, "sweep": "", "host": "",
            "exit_code": 0,
        }  # fmt: skip
        assert run["config"] == {
            **flatten(trial.config), "variant": trial.variant, "seed": trial.seed, "trial": trial.id
        }  # fmt: skip
        history = store.history(trial.id)
        assert [row["_step"] for row in run["rows"]] == [1, 2, 3]
        assert [metrics_of(row) for row in run["rows"]] == [record.metrics for record in history]
        expected = {"best_epoch": result.best_epoch, "epochs_trained": 3, "num_parameters": result.num_parameters}
        expected |= {f"best.{name}": value for name, value in result.best.items()}
        expected |= {f"last.{name}": value for name, value in result.last.items()}
        assert {key: run["summary"][key] for key in expected} == expected
    failed = runs["lr=1e+30/seed0"]
    assert failed["exit_code"] == 1
    assert failed["summary"]["error.code"] == "nan-loss"
    assert "epoch 1" in failed["summary"]["error.message"]


def test_reused_trials_get_no_run(tmp_path):
    store, plan = Store(tmp_path / "store"), make_plan(make_trial(0))
    list(InlineBackend().run(plan, store))
    assert read_back(tracked(tmp_path, store, plan, pytest.fail).path) == {}


def test_epochs_of_an_interrupted_run_are_there_once(tmp_path):
    store, plan = Store(tmp_path / "store"), make_plan(make_trial(0))
    events = InlineBackend().run(plan, store)
    while not isinstance(next(events), EpochEnded):
        pass
    events.close()
    folder = tracked(tmp_path, store, plan, pytest.fail)
    (run,) = read_back(folder.path).values()
    assert [metrics_of(row) for row in run["rows"]] == [r.metrics for r in store.history(plan.trials[0].id)]
    assert [row["_step"] for row in run["rows"]] == [1, 2, 3]


def test_interrupted_and_never_started_trials_end_as_failed(tmp_path):
    begun, never = make_trial(0), make_trial(1)
    folder = create_run(tmp_path / "runs", make_plan(begun, never), "")
    tracker = offline_tracker(folder, Store(tmp_path))
    tracker.start(folder.plan(), folder.run_name)
    tracker.event(TrialStarted(trial=begun.id))
    tracker.event(TrialFailed(trial=never.id, code="worker-died", message="the worker process died 2 times"))
    tracker.close()
    runs = read_back(folder.path)
    assert {name: (run["exit_code"], run["summary"]["error.code"]) for name, run in runs.items()} == {
        "lr=0.01/seed0": (1, "interrupted"),
        "lr=0.01/seed1": (1, "worker-died"),
    }


def test_a_dying_service_is_one_warning(tmp_path):
    """SIGKILL of wandb's own process in the middle of a trial."""
    store, plan, warnings = Store(tmp_path / "store"), make_plan(make_trial(0), make_trial(1)), []

    class Killer:
        def __init__(self):
            self.killed = False

        def start(self, plan, run_name):
            pass

        def event(self, event):
            if not self.killed and isinstance(event, EpochEnded):
                while not services():
                    time.sleep(0.05)
                for pid in services():
                    os.kill(pid, signal.SIGKILL)
                self.killed = True

        def close(self):
            pass

    folder = create_run(tmp_path / "runs", plan, "")
    tracker = offline_tracker(folder, store)
    observer = InBackground(tracker, name="W&B", warn=warnings.append, drain_timeout_s=30)
    outcome = execute(plan, store=store, backend=InlineBackend(), observers=[observer, Killer()], run_folder=folder)
    assert len(outcome.finished) == 2
    assert len(warnings) == 1
    assert warnings[0].startswith("W&B failed")
    assert services() == []


def test_a_project_that_wandb_refuses_is_one_warning(tmp_path):
    store, plan, warnings = Store(tmp_path / "store"), make_plan(make_trial(0)), []
    folder = create_run(tmp_path / "runs", plan, "")
    tracker = offline_tracker(folder, store, "not/a project?")
    observer = InBackground(tracker, name="W&B", warn=warnings.append)
    outcome = execute(plan, store=store, backend=InlineBackend(), observers=[observer], run_folder=folder)
    assert len(outcome.finished) == 1
    assert len(warnings) == 1
    assert services() == []


def test_nothing_imports_wandb_before_a_trial_starts(tmp_path):
    code = (
        "import sys; from pathlib import Path; from craftc.runtime.observers.wandb_tracker import WandbTracker\n"
        "from craftc.runtime.store.store import Store; from craftc.runtime.observers.factors import Factors\n"
        "from craftc.runtime.observers.tracked_run import TrackedRun\n"
        "run = TrackedRun(Path('.'), Store(Path('s')), Factors(axes={}), print)\n"
        "WandbTracker(run, project='p', mode='offline').close()\n"
        "assert 'wandb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_configs_are_flattened_by_dotted_path():
    config = {"a": {"b": [{"c": 1}, {"c": 2}], "d": [1, 2], "e": {}, "f": []}, "g": "none"}
    assert flatten(config) == {"a.b.0.c": 1, "a.b.1.c": 2, "a.d": [1, 2], "a.e": {}, "a.f": [], "g": "none"}
