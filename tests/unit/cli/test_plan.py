"""`craftc plan` before, between and after runs: what each mark says, the estimate, the exit code."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from craftc.cli.main import app
from craftc.cli.plan_view.outlook import Outlook
from craftc.cli.plan_view.rows import MOST_ROWS, grouped, plan_rows
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.last_run import LastTrial
from craftc.runtime.store.run_folder import create_run
from craftc.runtime.store.store import Store
from craftc.schemas.forecast import Forecast
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import EpochRecord, Result
from craftc.training.state.history import append_record

SPEC = """craftc: 1
name: example
data: {source: digits}
model: mlp
objective: cross_entropy
training: {epochs: 10, batch_size: 32, optimizer: {kind: adamw, lr: 1e-3}}
ablation: {seeds: 2, grid: {training.optimizer.lr: [1e-3, 1e-2]}}
"""
runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    return tmp_path


def compiled(text: str) -> Plan:
    plan = compile_spec(text, "spec.yaml", built_in_catalogue(), Store(Path("runs/store")).is_finished).plan
    assert plan is not None
    return plan


def finish(*trials: Trial, seconds: float = 36.0) -> None:
    store = Store(Path("runs/store"))
    for trial in trials:
        store.write_config(trial)
        result = Result(
            trial=trial.id, best_epoch=1, epochs_trained=trial.epochs, epochs_planned=trial.epochs, steps=1, best={},
            last={}, trivial={}, identities={}, num_parameters=1, split_sizes={"train": 1000}, seconds=seconds,
            device="cpu", craftc_version="0",
        )  # fmt: skip
        store.write_result(result)


def begin(trial: Trial, num_epochs: int) -> None:
    folder = Store(Path("runs/store")).folder(trial.id)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.pt").write_bytes(b"")
    for number in range(1, num_epochs + 1):
        append_record(folder, EpochRecord(trial=trial.id, epoch=number, step=number, metrics={}, seconds=1.0))


def planned(text: str, *arguments: str) -> tuple[int, str]:
    Path("spec.yaml").write_text(text)
    result = runner.invoke(app, ["plan", "spec.yaml", *arguments])
    return result.exit_code, result.stdout


def as_json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(planned(text, "--format", "json")[1])
    return found


def test_every_mark(here: Path) -> None:
    plan = compiled(SPEC)
    create_run(Path("runs"), plan, SPEC)
    base_0, base_1, _other_0, other_1 = plan.trials
    finish(base_0)
    begin(base_1, 4)
    assert other_1.variant == "lr=0.01"
    edited = SPEC.replace("[1e-3, 1e-2]", "[1e-3, 1e-4]")
    _, told = planned(edited)
    assert re.search(r"= +base +the spec as written +0 +reused", told)
    assert re.search(r"> +base +the spec as written +1 +goes on from epoch 4 of 10", told)
    assert re.search(r"~ +lr=1e-3 +0, 1 +same as base", told)
    assert re.search(r"\+ +lr=1e-4 +training.optimizer.lr: 0.0001 +0, 1 +new", told)
    assert re.search(r"- +lr=0.01 +0, 1 +no longer in the spec", told)
    summary = "4 trials: 3 new, 1 of them begun before, 1 reused, 2 folded into them, 2 orphaned"
    assert f"{summary}; 3 jobs, at most 26 epochs\n" in told
    found = as_json(edited)
    assert found["unfinished"] == {base_1.id: 4}
    assert [(each["variant"], each["seed"]) for each in found["orphaned"]] == [("lr=0.01", 0), ("lr=0.01", 1)]


def test_a_trial_read_off_another_is_marked(here: Path) -> None:
    shared = SPEC.replace("seeds: 2, grid: {training.optimizer.lr: [1e-3, 1e-2]}", "grid: {training.epochs: [5, 10]}")
    assert re.search(r"& +epochs=5 +training.epochs: 5 +0 +shared with base", planned(shared)[1])


def test_what_took_the_place_of_a_trial_of_the_last_run_says_why(here: Path) -> None:
    Path("lab.py").write_text("from torch import nn\nclass Net(nn.Identity):\n    def __init__(self): ...\n")
    own = SPEC.replace("model: mlp", "model: lab:Net")
    create_run(Path("runs"), compiled(own), own)
    _, told = planned(own.replace("lr: 1e-3}", "lr: 1e-3, weight_decay: 0.3}").replace("seeds: 2", "seeds: 1"))
    assert re.search(r"\+ +base +the spec as written +0 +new: training.optimizer.weight_decay changed", told)
    assert re.search(r"- +base +0 +replaced", told)
    assert re.search(r"- +base +1 +no longer in the spec", told)
    Path("lab.py").write_text(Path("lab.py").read_text() + "# edited\n")
    assert re.search(r"\+ +base +the spec as written +0, 1 +new: code of lab:Net changed", planned(own)[1])
    assert set(as_json(own)["replaced"].values()) == {"code of lab:Net changed"}


def test_a_narrow_table_breaks_names_after_commas_and_settings_between_words(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    grid = "training.optimizer.weight_decay: [0.25], training.batch_size: [16], objective.label_smoothing: [0.1]"
    _, told = planned(SPEC.replace("training.optimizer.lr: [1e-3, 1e-2]", grid))
    lines = told.splitlines()
    first = next(number for number, line in enumerate(lines) if "weight_decay=" in line)
    assert max(map(len, lines)) <= 80
    cells = [re.split(" {2,}", line.strip()) for line in lines[first : first + 3]]
    assert cells[0][:3] == ["+", "weight_decay=0.25,", "training.optimizer.weight_"]
    assert cells[1][0] == "batch_size=16,"
    assert cells[2][0].startswith("label_smoothing=0.1")


def test_an_unreadable_last_run_orphans_nothing(here: Path) -> None:
    folder = create_run(Path("runs"), compiled(SPEC), SPEC)
    (folder.path / "plan.json").write_text('{"trials": 3}')
    exit_code, told = planned(SPEC)
    assert exit_code == 0
    assert "orphaned" not in told


def test_the_estimate_and_what_it_is_taken_from(here: Path) -> None:
    assert "estimate: unknown, for no trial like these was trained before" in planned(SPEC)[1]
    plan = compiled(SPEC)
    finish(plan.trials[0], seconds=3600.0)
    finish(plan.trials[1], seconds=7200.0)
    _, told = planned(SPEC.replace("lr: [1e-3, 1e-2]", "lr: [1e-3, 1e-2, 1e-4]") + "resources: {max_concurrent: 1}\n")
    sentence = "estimate: 6.0 h of training (4.0 h to 8.0 h), done in 6.0 h with one job at a time (4.0 h to 8.0 h)\n"
    assert sentence in told
    assert "taken from: 2 earlier trials alike in model, data and batch size\n" in told


def test_the_estimate_as_json_keeps_the_contract(here: Path) -> None:
    plan = compiled(SPEC)
    finish(*plan.trials[:2])
    estimate = as_json(SPEC + "resources: {max_concurrent: 1, budget_hours: 0.001}\n")["estimate"]
    assert estimate == {
        "new_trials": 2,
        "epochs": 20,
        "trial_hours": {"likely": 0.02, "low": 0.02, "high": 0.02},
        "hours_left": {"likely": 0.02, "low": 0.02, "high": 0.02},
        "concurrent": 1,
        "based_on": [{"likeness": "alike", "num_past": 2, "num_trials": 2}],
        "num_unknown": 0,
        "budget_hours": 0.001,
        "exceeds_budget": True,
    }


def test_more_than_the_budget_is_told(here: Path) -> None:
    finish(*compiled(SPEC).trials[:2])
    assert "over budget: resources.budget_hours is 0.01" in planned(SPEC + "resources: {budget_hours: 0.01}\n")[1]
    assert "over budget" not in planned(SPEC + "resources: {budget_hours: 1}\n")[1]


def test_the_budget_is_no_part_of_what_a_trial_is(here: Path) -> None:
    finish(*compiled(SPEC).trials)
    assert as_json(SPEC + "resources: {budget_hours: 1}\n")["estimate"]["new_trials"] == 0


@pytest.mark.parametrize("hours", ["0", "-1", ".inf", "two"])
def test_a_budget_is_a_number_of_hours(here: Path, hours: str) -> None:
    assert planned(f"{SPEC}resources: {{budget_hours: {hours}}}\n")[0] == 1


COMPARED = SPEC.replace("seeds: 2", "seeds: 5") + "report: {margin: 0.001}\n"


def finish_with(values: dict[tuple[str, int], float]) -> None:
    store = Store(Path("runs/store"))
    for trial in compiled(COMPARED).trials:
        if (trial.variant, trial.seed) in values:
            finish(trial)
            result = store.result(trial.id)
            accuracy = {"test/accuracy": values[trial.variant, trial.seed]}
            store.write_result(result.model_copy(update={"best": accuracy}))


def test_a_plan_says_what_its_seeds_can_see_once_a_spread_is_known(here: Path) -> None:
    Path("spec.yaml").write_text(COMPARED)
    assert "power" not in runner.invoke(app, ["plan", "spec.yaml"]).stdout
    assert json.loads(runner.invoke(app, ["plan", "spec.yaml", "--format", "json"]).stdout)["power"] is None

    # lr=1e-3 is the spec as written, another name of the baseline.
    values = {"base": (0.9, 0.91, 0.92), "lr=0.01": (0.93, 0.95, 0.94)}
    finish_with({(name, seed): value for name, of in values.items() for seed, value in enumerate(of)})
    spread = np.std([0.03, 0.04, 0.02], ddof=1)
    power = json.loads(runner.invoke(app, ["plan", "spec.yaml", "--format", "json"]).stdout)["power"]

    assert power["spread"] == pytest.approx(spread)
    assert (power["num_seeds"], power["num_variants"], power["alpha"]) == (5, 1, 0.05)
    noncentrality = power["detectable_difference"] / spread * math.sqrt(5)
    assert stats.nct.sf(stats.t.isf(0.025, 4), 4, noncentrality) == pytest.approx(0.8, abs=1e-4)
    assert runner.invoke(app, ["plan", "spec.yaml"]).stdout.splitlines()[-1] == (
        "power: 5 seeds see differences in test/accuracy of 0.017 and more with 80% power (the spread of 1 variant in "
        "the store, level 0.05); the margin, 0.001, takes more than 100 seeds"
    )


def test_a_plan_of_one_seed_or_without_a_spread_says_nothing_of_power(here: Path) -> None:
    finish_with({(name, seed): 0.9 + seed / 100 for name in ("base", "lr=0.01") for seed in range(3)})
    for text in (COMPARED, COMPARED.replace("seeds: 5", "seeds: 1")):
        Path("spec.yaml").write_text(text)
        assert "power" not in runner.invoke(app, ["plan", "spec.yaml"]).stdout


def test_a_plan_that_adds_seeds_says_how_many_trials_there_are_at_least(here: Path) -> None:
    Path("spec.yaml").write_text(SPEC.replace("seeds: 2", "seeds: {at_least: 3, at_most: 8, until: decided}"))
    text = runner.invoke(app, ["plan", "spec.yaml"]).stdout

    assert "16 trials: 16 new" in text
    assert "; 6 of them at first, for 3 seeds, the others only for variants that are undecided after 3, 5 seeds" in text


def test_how_a_run_is_judged_is_no_part_of_what_a_trial_is(here: Path) -> None:
    judged = SPEC + "report: {margin: 0.01, correction: bh, hypotheses: {lr=0.01: {differs_by: '>= 0.02'}}}\n"
    before, after = compiled(SPEC), compiled(judged)

    assert [trial.id for trial in after.trials] == [trial.id for trial in before.trials]
    assert [trial.stages for trial in after.trials] == [trial.stages for trial in before.trials]
    assert after.analysis_plan.model_dump() == {
        "margin": 0.01, "correction": "bh", "features": (), "looks": (),
        "hypotheses": (
            {"name": "lr=0.01", "variant": "lr=0.01", "is_feature": False, "claim": "differs_by", "relation": ">=",
             "size": 0.02},
        ),
    }  # fmt: skip


def test_detailed_exit_codes(here: Path) -> None:
    assert planned(SPEC, "--detailed-exitcode")[0] == 2
    assert planned(SPEC)[0] == 0
    assert planned(SPEC, "--detailed-exitcode", "--format", "json")[0] == 2
    finish(*compiled(SPEC).trials)
    assert planned(SPEC, "--detailed-exitcode")[0] == 0
    assert planned(SPEC.replace("10", "ten"), "--detailed-exitcode")[0] == 1


def test_a_wrong_option_does_not_say_that_there_is_work(here: Path) -> None:
    assert planned(SPEC, "--detailed-exitcode", "--bogus")[0] == 1
    assert planned(SPEC, "--bogus", "--detailed-exitcode")[0] == 1
    assert planned(SPEC, "--bogus")[0] == 2


def test_a_large_plan_is_grouped(here: Path) -> None:
    """2,000 variants of one fate and the same paths are one row; --all shows every one."""
    grid = "{training.optimizer.lr: [LRS], training.batch_size: [SIZES]}"
    grid = grid.replace("LRS", ", ".join(f"{i}e-4" for i in range(1, 26)))
    grid = grid.replace("SIZES", ", ".join(str(i) for i in range(1, 81)))
    large = SPEC.replace("seeds: 2, grid: {training.optimizer.lr: [1e-3, 1e-2]}", f"grid: {grid}")
    plan = compiled(large)
    finish(*plan.trials[1:6])
    rows = plan_rows(compiled(large), Outlook({}, (), Forecast()))
    few = grouped(rows)
    assert len(few) < 6
    assert sum(len(row.seeds) for row in few if row.mark in "+=") == len(plan.trials) == 2000
    many = next(row for row in few if len(row.names) > 100)
    assert (many.mark, many.fate, many.sets.splitlines()) == (
        "+", "new", ["training.optimizer.lr: 25 values", "training.batch_size: 80 values"],
    )  # fmt: skip
    told = planned(large)[1]
    assert "1,994 variants:" in told
    assert len(told.splitlines()) < 60
    assert planned(large, "--all")[1].count("lr=") > 1900


def test_many_fates_are_grouped_by_their_mark(here: Path) -> None:
    """Features set a path each, so that no two variants set the same."""
    plan = compiled(SPEC)
    base = plan.trials[0]
    trials = tuple(
        base.model_copy(update={"id": f"{i:064x}", "variant": f"v{i}", "overrides": {f"model.x{i}": 0}})
        for i in range(MOST_ROWS * 2)
    )
    orphans = tuple(LastTrial(f"{i:064x}", f"w{i}", 0) for i in range(MOST_ROWS))
    many = plan.model_copy(update={"trials": trials})
    few = grouped(plan_rows(many, Outlook({}, orphans, Forecast())))
    assert [(row.mark, len(row.names)) for row in few] == [("+", MOST_ROWS * 2), ("~", 1), ("-", MOST_ROWS)]
    done = {trial.id: i for i, trial in enumerate(trials)}
    few = grouped(plan_rows(many, Outlook(done, (), Forecast())))
    assert (few[0].mark, few[0].fate) == (">", "go on from their last epoch")


def test_a_damaged_result_is_told_and_its_trial_is_new(here: Path) -> None:
    (here / "spec.yaml").write_text(SPEC)
    trials = compiled(SPEC).trials
    finish(*trials)
    file = Path("runs/store") / trials[0].id / "result.json"
    file.write_bytes(file.read_bytes()[:20])
    result = runner.invoke(app, ["plan", "spec.yaml"])
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning[result-unreadable]: {file} has a damaged seal; the trial counts as new")
    assert result.stderr.count("\n") == 1
    assert f"{len(trials)} trials: 1 new, {len(trials) - 1} reused" in result.stdout


TABLE = SPEC.replace("data: {source: digits}", "data: {source: {kind: csv, path: d.csv, target: y}}")


def rows(num: int, *, last: str = "") -> str:
    return "\n".join(["a,y", *(f"{i},{('10', '9', '01', '1')[i % 4]}" for i in range(num)), last])


def test_a_plan_names_samples_splits_and_classes_in_their_order(here: Path) -> None:
    (here / "spec.yaml").write_text(TABLE)
    (here / "d.csv").write_text(rows(40))
    printed = runner.invoke(app, ["plan", "spec.yaml"]).stdout
    line = "data of csv d.csv: 40 samples; about train 24, valid 8, test 8; 4 classes, from number 0: 01, 1, 9, 10"
    assert line in printed
    [data] = json.loads(runner.invoke(app, ["plan", "spec.yaml", "--format", "json"]).stdout)["data"]
    assert data == {
        "source": "csv",
        "path": "d.csv",
        "num_samples": 40,
        "splits": {"train": 24, "valid": 8, "test": 8},
        "stratified": True,
        "classes": ["01", "1", "9", "10"],
        "roles": {"train": "fit", "valid": "select", "test": "final"},
        "split_by": "fractions",
    }


def test_a_plan_reads_beyond_what_lint_reads(here: Path) -> None:
    (here / "spec.yaml").write_text(TABLE)
    (here / "d.csv").write_text(rows(20_000, last="x,9"))
    assert runner.invoke(app, ["lint", "spec.yaml"]).exit_code == 0
    outcome = runner.invoke(app, ["plan", "spec.yaml"])
    assert outcome.exit_code == 1
    assert 'd.csv, row 20001 below the header, column "a": "x" is not a finite number' in outcome.stderr


def test_each_different_data_of_the_variants_is_named_once(here: Path) -> None:
    (here / "spec.yaml").write_text(
        TABLE.replace("training.optimizer.lr: [1e-3, 1e-2]", "data.source.target: [y, z], training.epochs: [1, 2]")
    )
    (here / "d.csv").write_text("\n".join(["a,y,z", *(f"{i},{i % 2},{i % 3}" for i in range(40))]))
    found = json.loads(runner.invoke(app, ["plan", "spec.yaml", "--format", "json"]).stdout)["data"]
    assert [data["classes"] for data in found] == [["0", "1"], ["0", "1", "2"]]


def test_a_variant_whose_column_is_not_there_is_told_where_it_is_set(here: Path) -> None:
    (here / "spec.yaml").write_text(TABLE.replace("training.optimizer.lr: [1e-3, 1e-2]", "data.source.target: [y, w]"))
    (here / "d.csv").write_text(rows(40))
    told = runner.invoke(app, ["lint", "spec.yaml"]).stdout
    assert 'spec.yaml:7:53: error[data-unreadable]: d.csv has no column "w"' in told


def test_a_plan_shows_the_columns_of_a_table_and_who_said_their_roles(here: Path) -> None:
    columns = "columns: {maker: category, note: ignore}, impute: median"
    (here / "spec.yaml").write_text(TABLE.replace("target: y", f"target: y, {columns}"))
    cells = (f"{i % 4},{('ford', 'vw', '')[i % 3]},n{i},{i / 8 if i % 5 else ''},{i % 2}" for i in range(40))
    (here / "d.csv").write_text("\n".join(["cyl,maker,note,hp,y", *cells]))
    printed = runner.invoke(app, ["plan", "spec.yaml"]).stdout
    assert [line.split() for line in printed.splitlines() if line.startswith("  ") and " the spec " in line][-2:] == [
        ["maker", "category", "the", "spec", "13", "2"],
        ["note", "ignore", "the", "spec", "0", "40"],
    ]
    assert "cyl     number             guessed, doubtful     0       4" in printed
    assert "hp      number             guessed               8      32" in printed
    assert "y       target (category)  guessed               0       2" in printed
    [data] = json.loads(runner.invoke(app, ["plan", "spec.yaml", "--format", "json"]).stdout)["data"]
    assert data["columns"][1] == {
        "name": "maker", "role": "category", "kind": "class", "guessed": False, "gaps": 13, "distinct": 2,
    }  # fmt: skip
    assert data["columns"][4]["role"] == "target"
