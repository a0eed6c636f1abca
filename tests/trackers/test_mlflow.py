"""What MLflow's own client finds in the file that a run kept, without a server, against our own record."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from craftc.components.build import build
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFailed

SPEC = """\
craftc: 1
name: tiny
data: {source: digits}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 256, optimizer: {kind: adamw, lr: 1e-2}}
ablation: {grid: {training.optimizer.lr: [1e-2, 1e-3]}}
report: {trackers: [mlflow]}
"""


class Written:
    """The runs of an experiment by trial, each with its metrics as epochs: {epoch: {metric: value}}."""

    def __init__(self, uri: str, experiment: str = "tiny") -> None:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        assert found is not None
        runs = client.search_runs([found.experiment_id])
        self.by_trial = {run.data.tags["craftc.trial"]: run for run in runs}
        assert len(self.by_trial) == len(runs), "a trial has two runs"
        self.client = client

    def history(self, trial: str) -> dict[str, list[tuple[int, float]]]:
        run = self.by_trial[trial]
        names = sorted(run.data.metrics)
        points = {name: self.client.get_metric_history(run.info.run_id, name) for name in names}
        return {name: [(point.step, point.value) for point in at] for name, at in points.items()}

    def assert_holds(self, store: Store, trial: Trial) -> None:
        """Every row of metrics.jsonl, once, and what the trial came to."""
        rows = [json.loads(line) for line in (store.folder(trial.id) / "metrics.jsonl").read_text().splitlines()]
        expected: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            for name, value in row.items():
                if "/" in name:
                    expected.setdefault(name, []).append((row["epoch"], value))
            for name, value in row.get("metrics", {}).items():
                expected.setdefault(name, []).append((row["epoch"], value))
        assert expected
        result = store.result(trial.id)
        expected |= {f"best.{name}": [(result.best_epoch, value)] for name, value in result.best.items()}
        expected |= {f"last.{name}": [(result.epochs_trained, value)] for name, value in result.last.items()}
        assert self.history(trial.id) == expected
        run = self.by_trial[trial.id]
        assert run.info.status == "FINISHED"
        assert run.info.run_name == f"{trial.variant}/seed{trial.seed}"
        tags = {name: run.data.tags[f"craftc.{name}"] for name in ("variant", "seed", "status")}
        assert tags == {"variant": trial.variant, "seed": str(trial.seed), "status": "finished"}
        params = run.data.params
        assert params["training.optimizer.lr"] == json.dumps(trial.config["training"]["optimizer"]["lr"])
        assert params["model.hidden"] == json.dumps(trial.config["model"]["hidden"])
        assert params["seed"] == str(trial.seed)


def test_a_run_keeps_what_mlflow_reads_back_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "craftc", "run", "tiny.yaml", "--backend", "inline"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "warning" not in ran.stderr
    (path,) = (tmp_path / "runs" / "tiny").iterdir()
    found = Written(f"sqlite:///{path / 'mlflow' / 'mlflow.db'}")
    plan = RunFolder(path).plan()
    assert len(found.by_trial) == len(plan.trials) == 2
    for trial in plan.trials:
        found.assert_holds(Store(tmp_path / "runs" / "store"), trial)
    # Nothing of it lies where craftc was called.
    assert sorted(at.name for at in tmp_path.iterdir()) == ["runs", "tiny.yaml"]


@pytest.fixture
def folder_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of MLflow's that is quick to begin, since it has no tables: its folder of files."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


def tell(told: Any, uri: str, *batches: list[Any]) -> Written:
    tracker = build("trackers", {"kind": "mlflow", "tracking_uri": uri}, told.tracked(pytest.fail))
    tracker.start(told.plan, told.folder.run_name)
    for events in batches:
        for event in events:
            tracker.event(event)
    tracker.close()
    return Written(uri)


def test_records_that_are_no_epochs_have_their_steps_beside(make_run: Any, folder_uri: str, by_steps: str) -> None:
    told = make_run(by_steps)
    trial = told.plan.trials[0].id
    written = tell(told, folder_uri, told.train(trial))
    assert written.by_trial[trial].data.metrics["train/step"] == 51


def test_a_trial_taken_up_again_is_one_run_with_every_epoch_once(make_run: Any, folder_uri: str) -> None:
    told = make_run()
    trial, other = told.plan.trials[:2]
    started, first, second, third, finished = told.train(trial.id)
    # The first process ends after two epochs; the next begins one earlier, and its job once more.
    cut = tell(told, folder_uri, [started, first, second])
    assert cut.by_trial[trial.id].info.status == "KILLED"
    assert cut.by_trial[trial.id].data.tags["craftc.status"] == "interrupted"
    again = started.model_copy(update={"epoch": 1})
    whole = tell(told, folder_uri, [again, second, again, second, third, finished, finished], told.train(other.id))
    assert len(whole.by_trial) == 2
    for each in (trial, other):
        whole.assert_holds(told.store, each)
    # Trained once more, after its result was removed: it is there already.
    once_more = tell(told, folder_uri, [started, first, second, third, finished])
    assert len(once_more.by_trial) == 2
    once_more.assert_holds(told.store, trial)


def test_a_trial_that_was_trained_before_is_written_once(make_run: Any, folder_uri: str) -> None:
    first = make_run()
    for trial in first.plan.trials:
        first.train(trial.id)
    for _ in range(2):
        told = make_run()
        assert {trial.status for trial in told.plan.trials} == {"reused"}
        found = tell(told, folder_uri)
        assert len(found.by_trial) == 6
        for trial in told.plan.trials:
            found.assert_holds(told.store, trial)


def test_a_failed_trial_is_failed_and_whole_once_it_is_trained(make_run: Any, folder_uri: str) -> None:
    told = make_run()
    trial = told.plan.trials[0]
    *epochs, finished = told.train(trial.id)
    failure = TrialFailed(trial=trial.id, code="nan-loss", message="the loss is not finite", epoch=3)
    run = tell(told, folder_uri, [*epochs, failure]).by_trial[trial.id]
    assert (run.info.status, run.data.tags["craftc.error"]) == ("FAILED", "nan-loss")
    found = tell(told, folder_uri, [finished])
    found.assert_holds(told.store, trial)
    assert "craftc.error" not in found.by_trial[trial.id].data.tags


def test_it_is_imported_by_no_command_that_does_not_track(tmp_path: Path) -> None:
    code = (
        "import sys; from craftc.components.build import load_component\n"
        "assert load_component('trackers', 'mlflow').requires == {'mlflow': 'mlflow-skinny'}\n"
        "assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=os.environ)
