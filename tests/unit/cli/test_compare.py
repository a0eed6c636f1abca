"""craftc compare as its user meets it: specs, runs, one of each, and what is neither."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.runtime.store.run_folder import runs_of

runner = CliRunner()


@pytest.fixture
def here(runs_dir: Path, tiny: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(runs_dir.parent)
    Path("a.yaml").write_text(tiny)
    Path("b.yaml").write_text(tiny.replace("epochs: 2", "epochs: 3") + "resources: {max_concurrent: 1}\n")
    return runs_dir.parent


def compared(*arguments: str) -> dict[str, Any]:
    result = runner.invoke(app, ["compare", *arguments, "--format", "json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_two_specs(here: Path) -> None:
    found = compared("a.yaml", "b.yaml")
    assert [(change["path"], change["a"], change["b"]) for change in found["fields"]] == [
        ("training.epochs", 2, 3),
        ("resources.max_concurrent", "none", 1),
    ]
    assert found["trials"]["num_common"] == 0
    assert [(v["name"], v["status"]) for v in found["trials"]["variants"]] == [
        ("base", "changed"),
        ("lr=1e-3", "changed"),
    ]
    assert found["conclusion"] is None


def test_what_is_a_default_is_compared_too(here: Path, tiny: str) -> None:
    Path("written.yaml").write_text(tiny.replace("{kind: adamw,", "{kind: adamw, eps: 1e-8,"))
    Path("other.yaml").write_text(tiny.replace("{kind: adamw,", "{kind: adamw, eps: 1e-7,"))
    assert compared("a.yaml", "written.yaml")["fields"] == []
    assert compared("a.yaml", "other.yaml")["fields"] == [
        {"path": "training.optimizer.eps", "kind": "changed", "a": 1e-8, "b": 1e-7}
    ]


def test_a_selection_that_is_left_out_is_not_none(here: Path, tiny: str) -> None:
    Path("last.yaml").write_text(tiny + "evaluation: {select: none}\n")
    (change,) = compared("a.yaml", "last.yaml")["fields"]
    assert (change["path"], change["kind"]) == ("evaluation.select", "removed")


def test_a_spec_and_the_run_of_it(here: Path) -> None:
    run = runs_of(Path("runs/tiny"))[0]
    found = compared("a.yaml", str(run))
    assert (found["fields"], found["notes"]) == ([], [])
    assert found["trials"]["num_common"] == 4
    assert (found["a"]["kind"], found["a"]["num_finished"]) == ("spec", 4)
    assert (found["b"]["kind"], found["b"]["label"]) == ("run", f"tiny/{run.name}")


def test_two_runs_by_their_names(here: Path) -> None:
    first = runs_of(Path("runs/tiny"))[0].name
    found = compared(f"tiny/{first}", "tiny")
    assert {change["path"] for change in found["fields"]} == {
        "ablation.seeds",
        'ablation.grid["training.optimizer.lr"]',
    }
    assert {v["name"]: v["status"] for v in found["trials"]["variants"]} == {
        "base": "reseeded",
        "lr=3e-3": "new",
        "lr=1e-3": "gone",
    }
    (row,) = found["conclusion"]["rows"]
    assert (row["name"], row["same_trials"], row["comparable"]) == ("base", True, True)
    text = runner.invoke(app, ["compare", f"tiny/{first}", "tiny"])
    assert text.exit_code == 0
    assert "base: seed 2 only in B" in text.stdout
    assert "+ lr=3e-3: new, seeds 0, 1, 2" in text.stdout
    assert "same trials" in text.stdout
    assert "\x1b" not in text.stdout


def test_a_run_whose_spec_was_damaged_is_compared_by_its_plan(here: Path) -> None:
    run = runs_of(Path("runs/tiny"))[0]
    (run / "spec.yaml").write_text("craftc: 1\nname: [")
    found = compared(str(run), "b.yaml")
    assert {change["path"] for change in found["fields"]} == {"training.epochs", "max_concurrent"}
    assert "no longer valid" in found["notes"][0]


def test_a_search_space_from_a_file_is_compared_by_what_it_holds(here: Path, tiny: str) -> None:
    ranges = "training.optimizer.lr: {log_uniform: [1e-4, 1e-1]}"
    Path("lr.yaml").write_text(f"{ranges}\n")
    common = "optimize: {metric: valid/loss}, trials: 2"
    tiny = tiny[: tiny.index("ablation")]
    Path("named.yaml").write_text(f"{tiny}search: {{use: ./lr.yaml, {common}}}\n")
    Path("inline.yaml").write_text(f"{tiny}search: {{space: {{{ranges}}}, {common}}}\n")
    assert compared("named.yaml", "inline.yaml")["fields"] == []


def test_a_run_is_read_by_its_resolved_spec_where_it_has_one(here: Path) -> None:
    run = runs_of(Path("runs/tiny"))[0]
    (run / "spec.yaml").rename(run / "spec.resolved.yaml")
    (run / "spec.yaml").write_text("craftc: 1\nname: [")
    found = compared("a.yaml", str(run))
    assert (found["fields"], found["notes"]) == ([], [])


def test_a_run_of_before_trackers_were_a_list_is_read_by_its_resolved_spec(here: Path) -> None:
    run = runs_of(Path("runs/tiny"))[0]
    text = (run / "spec.yaml").read_text() + "report:\n  wandb: {project: p, entity: lab}\n  tensorboard: false\n"
    (run / "spec.resolved.yaml").write_text(text)
    assert compared(str(run), "a.yaml")["fields"] == []
    (run / "spec.resolved.yaml").write_text(text + "  tensorbord: false\n")
    assert "no longer valid" in compared(str(run), "a.yaml")["notes"][0]


def test_data_of_other_content_is_said_to_differ_where_no_field_does(here: Path, tiny: str) -> None:
    Path("table.csv").write_text("x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    Path("csv.yaml").write_text(
        tiny.replace("{source: digits}", "{source: {kind: csv, path: table.csv, target: label}}")
    )
    store = Path("runs")
    from craftc.compiler.language.catalogue import built_in_catalogue
    from craftc.compiler.pipeline import compile_spec
    from craftc.runtime.store.run_folder import create_run

    text = Path("csv.yaml").read_text()
    plan = compile_spec(text, "csv.yaml", built_in_catalogue()).plan
    assert plan is not None
    run = create_run(store, plan.model_copy(update={"name": "csv"}), text)
    assert compared(str(run.path), "csv.yaml")["fields"] == []
    Path("table.csv").write_text("x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(1, 21)))
    result = runner.invoke(app, ["compare", str(run.path), "csv.yaml"])
    assert "base, lr=1e-3: no field differs; the content of its data" in result.stdout


def test_mistakes_in_a_spec_are_told(here: Path) -> None:
    Path("wrong.yaml").write_text(Path("a.yaml").read_text().replace("epochs: 2", "epochs: two"))
    result = runner.invoke(app, ["compare", "a.yaml", "wrong.yaml"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[wrong-type]" in result.stderr


@pytest.mark.parametrize("arguments", [["nothing", "a.yaml"], ["a.yaml", "."], ["a.yaml"], ["a.yaml", "tiny/2"]])
def test_what_is_neither_ends_with_2(here: Path, arguments: list[str]) -> None:
    result = runner.invoke(app, ["compare", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")


def test_in_a_terminal_there_are_colours(here: Path) -> None:
    from craftc.cli.inputs.read_experiment import read_experiment
    from craftc.report.diff_experiments import diff_experiments
    from craftc.report.render_comparison import render_comparison

    found = diff_experiments(read_experiment("a.yaml", Path("runs")), read_experiment("b.yaml", Path("runs")))
    plain, coloured = render_comparison(found, 80), render_comparison(found, 80, color_system="standard")
    assert "\x1b[33m  ~ training.epochs: 2 -> 3\x1b[0m" in coloured
    assert "\x1b" not in plain


def test_searches_are_compared_by_their_best_points_where_they_optimize_one_metric(
    tmp_path: Path, tiny: str, train_spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def searched(metric: str, num: int) -> str:
        space = "{training.optimizer.lr: {log_uniform: [1e-4, 1e-1]}}"
        search = f"search: {{space: {space}, optimize: {{metric: {metric}}}, sampler: random, trials: {num}}}\n"
        spec = tiny[: tiny.index("ablation")].replace("epochs: 2", "epochs: 1") + search
        return str(train_spec(spec, tmp_path / "runs"))

    monkeypatch.chdir(tmp_path)
    one, longer, other = searched("valid/loss", 1), searched("valid/loss", 3), searched("valid/accuracy", 1)
    (search,) = compared(one, longer)["conclusion"]["searches"]
    assert (search["variant"], search["comparable"]) == ("base", True)
    assert search["value_b"] <= search["value_a"]
    assert set(search["best_b"]) == {"training.optimizer.lr"}
    (search,) = compared(one, other)["conclusion"]["searches"]
    assert (search["comparable"], search["value_a"], search["value_b"]) == (False, None, None)
    assert (
        "search of base: not comparable, valid/loss -> valid/accuracy"
        in runner.invoke(app, ["compare", one, other]).stdout
    )
