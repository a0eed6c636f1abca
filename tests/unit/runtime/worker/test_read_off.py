"""A run of what differs in what is measured alone takes no step."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.runtime.store.store import Store

SPEC = """\
craftc: 1
name: it
data:
  source: digits
  splits: {train: 0.5, valid: 0.2, calib: {share: 0.1, for: calibrate}, test: 0.2}
model: {kind: mlp, hidden: [8]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
"""
AFTER = "evaluation: {passes: {tiles: {views: tiles}}, after: [{kind: temperature, fit: calib}]}\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with the two specs, where the plain one was run."""
    folder = tmp_path_factory.mktemp("it")
    (folder / "plain.yaml").write_text(SPEC)
    (folder / "after.yaml").write_text(SPEC + AFTER)
    craftc("run", folder, "plain.yaml", "--backend", "inline")
    return folder


def craftc(command: str, folder: Path, spec: str, *options: str, code: int = 0) -> str:
    given = [command, str(folder / spec), "--runs-dir", str(folder / "runs"), *options]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def trial_of(folder: Path) -> dict:
    return json.loads(craftc("plan", folder, "after.yaml", "--format", "json"))["trials"][0]


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "it"))


def test_the_plan_says_so(folder) -> None:
    document = json.loads(craftc("plan", folder, "after.yaml", "--format", "json", "--detailed-exitcode"))
    [trial] = document["trials"]
    assert Store(folder / "runs" / "store").is_finished(trial["read_off"])
    assert (document["read_off"], document["estimate"]["epochs"]) == (1, 0)
    assert "1 new, 1 of them read off finished trials" in craftc("plan", folder, "after.yaml")


def test_a_run_measures_and_trains_nothing(folder, monkeypatch) -> None:
    def step(*_: object, **__: object) -> None:
        raise AssertionError("a step was taken")

    for place in ("training", "attempt"):
        monkeypatch.setattr(f"craftc.training.loop.{place}.train_steps", step)
    trial = trial_of(folder)
    output = craftc("run", folder, "after.yaml", "--backend", "inline")
    assert f"read off trial {trial['read_off'][:12]}" in output
    store = Store(folder / "runs" / "store")
    result, source = store.result(trial["id"]), store.result(trial["read_off"])
    assert {name: result.best[name] for name in source.best} == source.best
    assert {"test/tiles.accuracy", "valid/temperature.loss"} <= result.best.keys()
    records = [record.model_copy(update={"trial": trial["id"]}) for record in store.history(trial["read_off"])]
    assert store.history(trial["id"]) == records
    # Run again, it is there.
    assert "1 reused" in craftc("plan", folder, "after.yaml")


@pytest.mark.parametrize("damage", ["bytes", "gone behind the plan's back"])
def test_damaged_weights_are_trained_again_and_the_run_says_so(folder, damage, monkeypatch) -> None:
    trial = trial_of(folder)
    best = folder / "runs" / "store" / trial["read_off"] / "checkpoints" / "best.pt"
    if damage == "bytes":
        best.write_bytes(best.read_bytes()[:-1] + b"?")
    else:
        from craftc.cli import run

        describe = run.describe
        monkeypatch.setattr(run, "describe", lambda *given: (best.unlink(), describe(*given))[1])
    output = craftc("run", folder, "after.yaml", "--backend", "inline")
    assert "(trained: " in output
    store = Store(folder / "runs" / "store")
    result, source = store.result(trial["id"]), store.result(trial["read_off"])
    assert result.execution.read_off is None
    assert "best.pt" in result.execution.trained_because
    assert {name: result.best[name] for name in source.best} == source.best


def test_a_kill_before_the_result_leaves_what_is_read_off_again(folder, monkeypatch) -> None:
    trial = trial_of(folder)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write_result", killed)
        craftc("run", folder, "after.yaml", "--backend", "inline", code=130)
    store = Store(folder / "runs" / "store")
    assert store.history(trial["id"])
    assert not store.is_finished(trial["id"])
    assert "read off trial" in craftc("run", folder, "after.yaml", "--backend", "inline")
    assert store.is_finished(trial["id"])


def test_cleaned_weights_are_not_looked_for(folder) -> None:
    entered = folder / "runs" / "store" / "by_weights"
    assert len(list(entered.rglob("*"))) == 2
    result = CliRunner().invoke(app, ["clean", "--runs-dir", str(folder / "runs"), "--checkpoints", "all", "--yes"])
    assert result.exit_code == 0, result.output
    assert list(entered.rglob("*")) == []
    assert trial_of(folder)["read_off"] is None
