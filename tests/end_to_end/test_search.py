"""`craftc run` of a search as its user meets it: output, exit codes, and what other tools can open afterwards."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from click.testing import CliRunner

from craftc.cli.main import app

SPEC = """\
craftc: 1
name: tiny-search
data: {{source: digits}}
model: {{kind: mlp, hidden: [16]}}
objective: {{kind: cross_entropy, metrics: [accuracy]}}
training: {{epochs: 3, batch_size: 64, optimizer: {{kind: adamw, lr: 1e-4}}}}
ablation: {{{ablation}}}
search:
  use: rates
  space: {{training.batch_size: {{choice: [32, 64]}}}}
  optimize: {{metric: valid/accuracy}}
  pruner: {{kind: median, startup_trials: 4}}
  trials: {trials}
{more}"""
WITHOUT_SEARCH = SPEC.partition("search:")[0]
RATES = "training.optimizer.lr: {log_uniform: [1e-5, 1e-1]}\n"


def craftc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In this process, which has torch already: for what is not about the process."""
    with contextlib.chdir(folder):
        result = CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def craftc_apart(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, which is over when its run is asked for its state."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def write_spec(folder: Path, ablation: str = "", more: str = "", trials: int = 6) -> Path:
    (folder / "search_spaces").mkdir(exist_ok=True)
    (folder / "search_spaces" / "rates.yaml").write_text(RATES)
    path = folder / "spec.yaml"
    path.write_text(SPEC.format(ablation=ablation, more=more, trials=trials))
    return path


def latest(folder: Path, name: str = "tiny-search") -> Path:
    return max((folder / "runs" / name).iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search with a grid beside it."""
    folder = tmp_path_factory.mktemp("search")
    write_spec(folder, "grid: {model.hidden: [[8], [32]]}", "report: {trackers: [tensorboard]}\n")
    result = craftc_apart(folder, "run", "spec.yaml", "--backend", "inline")
    assert result.returncode == 0, result.stderr
    (folder / "stdout").write_text(result.stdout)
    (folder / "stderr").write_text(result.stderr)
    return folder


def test_what_is_printed(folder: Path) -> None:
    text = (folder / "stdout").read_text()
    assert "Search for the highest valid/accuracy" in text
    assert "The search found a better setting than its starting point: valid/accuracy" in text
    assert "training.optimizer.lr" in text
    progress = (folder / "stderr").read_text()
    assert "run tiny-search/" in progress
    assert ": 9 trials to train" in progress
    assert "[9/9]" in progress
    assert "pruned at" in progress


def test_the_plan_shows_the_search(folder: Path) -> None:
    plan = craftc(folder, "plan", "spec.yaml")
    assert "a search of 6 points" in plan.stdout
    assert "log_uniform [1e-05, 0.1]" in plan.stdout
    search = json.loads(craftc(folder, "plan", "spec.yaml", "--format", "json").stdout)["search"]
    assert search["sampler"]["kind"] == "tpe"
    assert search["space"]["training.batch_size"] == {"choice": [32, 64]}


def test_the_reports_agree(folder: Path) -> None:
    conclusion = json.loads(craftc(folder, "report", "tiny-search", "--format", "json").stdout)
    (search,) = conclusion["searches"]
    points = json.loads((latest(folder) / "search.json").read_text())["studies"][0]["points"]
    values = [point["value"] for point in points if point["value"] is not None and point["kind"] != "grid"]
    assert search["best"]["value"] == max(values)
    assert search["start"]["value"] == points[0]["value"]
    assert search["num_finished"] + search["num_pruned"] == 6
    assert search["epochs"]["trained"] < search["epochs"]["planned"] == 21
    assert search["difference"]["seeds"] == [0]
    assert sum(search["importances"].values()) == pytest.approx(1)
    markdown = craftc(folder, "report", "tiny-search", "--format", "markdown").stdout
    assert f"| best found (point {search['best']['number']}) |" in markdown


def test_optunas_own_tools_open_the_run(folder: Path) -> None:
    study = optuna.load_study(study_name="tiny-search/base", storage=f"sqlite:///{latest(folder) / 'study.db'}")
    assert [trial.user_attrs["kind"] for trial in study.trials] == ["start", *["search"] * 6, "grid", "grid"]
    assert study.trials[-1].params["model.hidden"] == "[32]"
    plots = optuna.visualization
    for plot in (plots.plot_optimization_history, plots.plot_intermediate_values, plots.plot_param_importances):
        assert plot(study).data


def test_trackers_have_every_point(folder: Path) -> None:
    points = json.loads((latest(folder) / "search.json").read_text())["studies"][0]["points"]
    files = {path.parent.relative_to(latest(folder) / "tensorboard") for path in latest(folder).rglob("*tfevents*")}
    assert {Path("base/seed0")} | {Path(f"base#{n}/seed0") for n in range(1, 7)} <= files
    assert [point["kind"] for point in points] == ["start", *["search"] * 6]


def test_the_same_spec_again_trains_nothing_and_says_the_same(folder: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in (folder / "runs" / "store").rglob("metrics.jsonl")}
    again = craftc(folder, "run", "spec.yaml", "--backend", "inline")
    assert again.returncode == 0, again.stderr
    assert again.stdout == (folder / "stdout").read_text()
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs" / "store").rglob("metrics.jsonl")} == stamps


def test_another_store_gives_the_same(folder: Path, tmp_path: Path) -> None:
    write_spec(tmp_path, "grid: {model.hidden: [[8], [32]]}")
    other = craftc(tmp_path, "run", "spec.yaml", "--backend", "inline")
    assert other.stdout == (folder / "stdout").read_text()


def test_a_tuned_ablation_compares_each_variant_at_its_best(tmp_path: Path) -> None:
    write_spec(tmp_path, "seeds: 2, features: {norm: {data.normalize: per_line}}", trials=3)
    result = craftc(tmp_path, "run", "spec.yaml", "--backend", "inline")
    assert result.returncode == 0, result.stderr
    assert "-norm and full, each at its own best setting: test/accuracy differs by" in result.stdout
    searches = json.loads(craftc(tmp_path, "report", "tiny-search", "--format", "json").stdout)["searches"]
    assert [search["variant"] for search in searches] == ["full", "-norm"]
    assert searches[0]["tuned_difference"] is None
    assert searches[1]["tuned_difference"]["seeds"] == [0, 1]
    best = [search["best"]["headline"]["mean"] for search in searches]
    assert searches[1]["tuned_difference"]["mean"] == pytest.approx(best[1] - best[0])


def test_points_that_fail_or_repeat_are_counted_as_such(tmp_path: Path) -> None:
    path = write_spec(tmp_path, trials=5)
    text = path.read_text().replace("  use: rates\n", "")
    text = text.replace("training.batch_size: {choice: [32, 64]}", "training.optimizer.lr: {choice: [0.01, 1.0e+20]}")
    path.write_text(text.replace("pruner: {kind: median, startup_trials: 4}", "sampler: random"))
    lint = craftc(tmp_path, "lint", "spec.yaml")
    assert "warning[too-few-points]: the space has 2 points, and 5 are asked for" in lint.stdout + lint.stderr
    run = craftc_apart(tmp_path, "run", "spec.yaml", "--backend", "inline")
    assert run.returncode == 3, run.stderr
    over = [line.partition("]")[0] for line in run.stderr.splitlines() if line.startswith("[")]
    assert over == [f"[{number}/6" for number in range(1, 7)]
    assert "(lr=0.01): 3 of 3 epochs" in run.stderr
    assert "best so far" in run.stderr
    (search,) = json.loads(craftc(tmp_path, "report", "tiny-search", "--format", "json").stdout)["searches"]
    counts = search["num_finished"], search["num_repeated"], search["num_failed"]
    assert (sum(counts[::2]), counts[1], len(search["failures"])) == (5, counts[0] - 1, counts[2])
    assert min(counts) > 0
    assert (search["epochs"], search["epochs_saved"]) == ({"trained": 6, "planned": 9}, 0)
    assert "6 of 9 planned epochs were trained, 33% lost to failures" in " ".join(run.stdout.split())
    assert "saved by pruning" not in run.stdout
    for text in (run.stdout, craftc(tmp_path, "report", "tiny-search", "--format", "markdown").stdout):
        assert " failed: [nan-loss] the training loss became" in " ".join(text.split())
    assert "some failed" in craftc(tmp_path, "status").stdout


def test_a_run_without_a_search_has_its_trials_in_a_study_too(tmp_path: Path) -> None:
    spec = WITHOUT_SEARCH.format(ablation="seeds: 2, grid: {training.optimizer.lr: [1e-3, 1e-2]}")
    (tmp_path / "spec.yaml").write_text(spec)
    for _ in range(2):
        assert craftc(tmp_path, "run", "spec.yaml", "--backend", "inline").returncode == 0
        study = optuna.load_study(study_name="tiny-search/base", storage=f"sqlite:///{latest(tmp_path) / 'study.db'}")
        assert [t.params["training.optimizer.lr"] for t in study.trials] == [1e-4, 1e-3, 1e-2]
        assert [len(trial.intermediate_values) for trial in study.trials] == [6, 6, 6]
        assert study.best_trial.params["training.optimizer.lr"] == 0.01
        assert optuna.importance.get_param_importances(study) == {"training.optimizer.lr": 1.0}


def test_early_stopping_says_what_it_saved(tmp_path: Path) -> None:
    spec = WITHOUT_SEARCH.format(ablation="").replace("lr: 1e-4}", "lr: 0.5}").replace("epochs: 3", "epochs: 30")
    spec = spec.replace("optimizer:", "early_stopping: {metric: valid/loss, patience: 2}, optimizer:")
    (tmp_path / "spec.yaml").write_text(spec)
    result = craftc(tmp_path, "run", "spec.yaml", "--backend", "inline")
    conclusion = json.loads(craftc(tmp_path, "report", "tiny-search", "--format", "json").stdout)
    assert conclusion["epochs"]["trained"] < conclusion["epochs"]["planned"] == 30
    assert f"{conclusion['epochs']['trained']} of 30 planned epochs were trained." in result.stdout


def test_a_mistake_in_the_file_of_ranges_is_shown_there(tmp_path: Path) -> None:
    write_spec(tmp_path)
    (tmp_path / "search_spaces" / "rates.yaml").write_text("# rates\ntraining.optimizer.lrs: {log_uniform: [1, 2]}\n")
    for command in ("lint", "plan", "run"):
        result = craftc(tmp_path, command, "spec.yaml")
        assert result.returncode == 1
        assert "search_spaces/rates.yaml:2:1: error[unknown-factor]" in result.stdout + result.stderr
        assert "    2 | training.optimizer.lrs: {log_uniform: [1, 2]}" in result.stdout + result.stderr


IN_FOLDS = """\
craftc: 1
name: in-folds
data: {source: {kind: csv, path: points.csv, target: y}, splits: {train: 0.75, valid: 0.25, folds: 2}}
model: {kind: mlp, hidden: [4]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 8, optimizer: {kind: adamw, lr: 1e-4}}
ablation: {seeds: 2}
search:
  space: {training.optimizer.lr: {log_uniform: [1e-4, 1e-1]}}
  optimize: {metric: valid/loss}
  trials: 2
"""


def test_a_point_is_judged_by_all_seeds_and_folds_and_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    rows = [f"{at % 7 + 0.01 * at},{at % 5},{'ab'[at % 7 > 3]}" for at in range(60)]
    (tmp_path / "points.csv").write_text("\n".join(["u,v,y", *rows]))
    (tmp_path / "spec.yaml").write_text(IN_FOLDS)
    first = craftc(tmp_path, "run", "spec.yaml", "--backend", "inline")
    assert first.returncode == 0, first.stderr
    run, store = latest(tmp_path, "in-folds"), tmp_path / "runs" / "store"
    points = json.loads((run / "search.json").read_text())["studies"][0]["points"]
    assert len(points) == 3
    for point in points:
        results = [json.loads((store / trial / "result.json").read_text()) for trial in point["trials"]]
        assert len(results) == 4
        assert point["value"] == pytest.approx(sum(result["best"]["valid/loss"] for result in results) / 4)
    folds = [json.loads((store / t / "config.json").read_text())["data"]["splits"]["fold"] for t in points[1]["trials"]]
    assert folds == [0, 0, 1, 1]
    (store / points[1]["trials"][2] / "result.json").unlink()
    again = craftc(tmp_path, "run", "spec.yaml", "--backend", "inline")
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout


def test_the_ranges_that_components_declare_are_searched(tmp_path: Path) -> None:
    ablation = "features: {narrow: {model.hidden: [8]}}"
    path = write_spec(tmp_path, ablation, trials=2)
    path.write_text(path.read_text().replace("use: rates", "use: defaults").replace("epochs: 3", "epochs: 1"))
    result = craftc(tmp_path, "run", "spec.yaml", "--backend", "inline")
    assert result.returncode == 0, result.stderr
    searched = {
        "model.dropout",  # and not model.hidden, which the ablation varies
        "objective.label_smoothing",
        "training.optimizer.lr",
        "training.optimizer.weight_decay",
        "training.batch_size",
    }
    summary = json.loads((latest(tmp_path) / "search.json").read_text())
    assert [study["variant"] for study in summary["studies"]] == ["full", "-narrow"]
    for study in summary["studies"]:
        start, *points = study["points"]
        assert start["params"]["training.optimizer.lr"] == 1e-4
        assert [point["params"].keys() for point in points] == [searched] * 2
    kept = (latest(tmp_path) / "spec.resolved.yaml").read_text()
    assert "use:" not in kept
    assert "log_uniform: [0.0001, 0.03]" in kept
