"""Editing a spec is cheap: only the trials that it adds are trained, and the report is of the whole experiment."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.store.store import Store
from craftc.schemas.result import EpochEnded

SPEC = """\
craftc: 1
name: edited
data: {source: digits}
model: {kind: linear}
objective: cross_entropy
training: {epochs: 2, batch_size: 64, optimizer: {kind: sgd, lr: 0.1}}
ablation:
  seeds: 2
  grid: {training.optimizer.lr: [0.1, 0.2]}
"""
runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def craftc(*arguments: str) -> tuple[int, str, str]:
    result = runner.invoke(app, [*arguments])
    return result.exit_code, result.stdout, result.stderr


def run(text: str) -> int:
    Path("spec.yaml").write_text(text)
    return craftc("run", "spec.yaml", "--backend", "inline")[0]


def run_apart(text: str, backend: str = "inline") -> tuple[int, str]:
    """In a process of its own, which is over when its run is asked for its state; what it says, too."""
    Path("spec.yaml").write_text(text)
    command = [sys.executable, "-m", "craftc", "run", "spec.yaml", "--backend", backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stderr


def trained() -> list[str]:
    """The trials that the latest run trained itself, as it journalled them."""
    latest = max(Path("runs/edited").iterdir())
    journal = latest / "results.jsonl"
    events = [json.loads(line) for line in journal.read_text().splitlines()] if journal.is_file() else []
    assert all(event["type"] == "finished" and not event["reused"] for event in events)
    return [event["result"]["trial"] for event in events]


def planned() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(craftc("plan", "spec.yaml", "--format", "json")[1])
    return found


def reported() -> dict[str, tuple[int, int]]:
    """Every variant of the latest run's report, with how many of its trials are finished of how many."""
    conclusion = json.loads(craftc("report", "edited", "--format", "json")[1])
    return {row["name"]: (row["num_finished"], row["num_planned"]) for row in conclusion["variants"]}


CHANGES: dict[str, tuple[Callable[[str], str], int, dict[str, tuple[int, int]]]] = {
    "one value of an axis": (
        lambda text: text.replace("[0.1, 0.2]", "[0.1, 0.3]"),
        2,
        {"base": (2, 2), "lr=0.1": (2, 2), "lr=0.3": (2, 2)},
    ),
    "another value on an axis": (
        lambda text: text.replace("[0.1, 0.2]", "[0.1, 0.2, 0.3]"),
        2,
        {"base": (2, 2), "lr=0.1": (2, 2), "lr=0.2": (2, 2), "lr=0.3": (2, 2)},
    ),
    "a seed": (
        lambda text: text.replace("seeds: 2", "seeds: 3"),
        2,
        {"base": (3, 3), "lr=0.1": (3, 3), "lr=0.2": (3, 3)},
    ),
    "an axis that has the value so far": (
        lambda text: text.replace("0.2]}", "0.2], training.batch_size: [64, 32]}"),
        4,
        {
            "base": (2, 2),
            "lr=0.1,batch_size=64": (2, 2),
            "lr=0.1,batch_size=32": (2, 2),
            "lr=0.2,batch_size=64": (2, 2),
            "lr=0.2,batch_size=32": (2, 2),
        },
    ),
    "what does not decide a result": (
        lambda text: f"# why\n{text}description: new words\nresources: {{cpus: 2, budget_hours: 1}}\n",
        0,
        {"base": (2, 2), "lr=0.1": (2, 2), "lr=0.2": (2, 2)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_is_new_is_trained_and_all_is_reported(here: Path, change: str) -> None:
    edit, num_new, variants = CHANGES[change]
    assert run(SPEC) == 0
    before = set(trained())
    assert len(before) == 4
    Path("spec.yaml").write_text(edit(SPEC))
    promised = {trial["id"] for trial in planned()["trials"] if trial["status"] == "new"}
    assert len(promised) == num_new
    assert run(edit(SPEC)) == 0
    assert set(trained()) == promised
    assert promised.isdisjoint(before)
    assert reported() == variants
    assert craftc("plan", "spec.yaml", "--detailed-exitcode")[0] == 0


def test_what_an_edit_removes_is_orphaned_and_not_lost(here: Path) -> None:
    assert run(SPEC) == 0
    Path("spec.yaml").write_text(SPEC.replace("[0.1, 0.2]", "[0.1]"))
    gone = planned()["orphaned"]
    assert [(each["variant"], each["seed"]) for each in gone] == [("lr=0.2", 0), ("lr=0.2", 1)]
    assert run(SPEC) == 0
    assert trained() == []


def test_an_interrupted_trial_goes_on_and_costs_only_what_is_left(here: Path) -> None:
    text = SPEC.replace("epochs: 2", "epochs: 6")
    Path("spec.yaml").write_text(text)
    plan = compile_spec(text, "spec.yaml", built_in_catalogue()).plan
    assert plan is not None
    events = InlineBackend().run(plan, Store(Path("runs/store")))
    num_epochs = 0
    while num_epochs < 9:  # six of the first trial, three of the second
        num_epochs += isinstance(next(events), EpochEnded)
    events.close()
    found = planned()
    assert found["unfinished"] == {plan.trials[1].id: 3}
    assert (found["estimate"]["epochs"], found["estimate"]["based_on"][0]["num_past"]) == (15, 1)
    assert "goes on from" in craftc("plan", "spec.yaml")[1]
    assert run(text) == 0
    assert len(trained()) == 3


@pytest.mark.parametrize("backend", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_spent_budget_leaves_out_the_rest_and_the_next_run_goes_on(here: Path, backend: str) -> None:
    limited = SPEC + "resources: {budget_hours: 1e-9, max_concurrent: 1}\n"
    code, said = run_apart(limited, backend)
    assert code == 4, said
    assert len(trained()) == 1
    _, report, _ = craftc("report", "edited")
    assert "trials were not begun: base (seed 1), lr=0.2 (seed 0, 1)" in " ".join(report.split())
    _, status, _ = craftc("status", "edited")
    assert "budget spent" in status
    assert "3 trials were not begun: base (seed 1), lr=0.2 (seed 0, 1)" in status
    if backend == "inline":
        assert run(limited) == 4
        assert len(trained()) == 1
    assert run(SPEC) == 0
    assert len(trained()) == (2 if backend == "inline" else 3)
    assert "budget" not in craftc("report", "edited")[1]


def test_a_search_proposes_no_more_once_the_budget_is_spent(here: Path) -> None:
    search = """search:
  space: {training.optimizer.lr: {log_uniform: [1e-3, 1]}}
  optimize: {metric: valid/loss}
  sampler: random
  trials: 3
"""
    text = SPEC.replace("  seeds: 2\n  grid: {training.optimizer.lr: [0.1, 0.2]}\n", "  seeds: 1\n") + search
    code, said = run_apart(text + "resources: {budget_hours: 1e-9}\n")
    assert code == 4, said
    _, report, _ = craftc("report", "edited")
    assert "3 points of the search not proposed" in " ".join(report.split())
    assert "budget spent" in craftc("status", "edited")[1]
    code, said = run_apart(text)
    assert code == 0, said
    assert "finished" in craftc("status", "edited")[1]
