"""Conclusions by another metric than the headline, and the table of all metrics."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy import stats

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.report.another_metric import UnknownMetricError, with_headline
from craftc.report.conclude import conclude
from craftc.report.metric_table import metric_table
from craftc.report.render_metric_table import metrics_as_markdown, metrics_as_text

VALUES = {"base": [0.70, 0.72, 0.71], "wide": [0.75, 0.78, 0.74], "deep": [0.6, "failed", None]}


def craftc(runs_dir: Path, *arguments: str) -> tuple[int, str]:
    with contextlib.chdir(runs_dir.parent):
        done = CliRunner(env={"COLUMNS": "100"}).invoke(app, [*arguments, "--runs-dir", str(runs_dir)])
    return done.exit_code, done.stdout + done.stderr


def test_a_loss_is_better_where_it_is_lower(make_run: Callable[..., Any]) -> None:
    plan, results, failures = make_run(VALUES)
    for trial, result in results.items():
        best = result.best | {"test/loss": 1 - result.best["test/balanced_accuracy"]}
        results[trial] = result.model_copy(update={"best": best})
    plan = with_headline(plan, results, "test/loss", built_in_catalogue())
    assert (plan.headline.name, plan.headline.mode) == ("test/loss", "min")
    rows = {row.name: row for row in conclude(plan, results, failures).variants}
    assert rows["wide"].value is not None
    assert rows["wide"].value.mean == pytest.approx(1 - (0.75 + 0.78 + 0.74) / 3)
    assert rows["wide"].difference is not None
    assert rows["wide"].difference.verdict == "better"


def test_what_is_not_measured_and_what_has_no_direction(make_run: Callable[..., Any]) -> None:
    plan, results, _ = make_run(VALUES, metric="f2")
    with pytest.raises(UnknownMetricError, match=r'no trial of .* has "test/f1"; did you mean "test/f2"\?'):
        with_headline(plan, results, "test/f1", built_in_catalogue())
    with pytest.raises(UnknownMetricError, match="add --mode min or --mode max"):
        with_headline(plan, results, "test/f2", built_in_catalogue())
    assert with_headline(plan, results, "valid/f2", built_in_catalogue(), "max").headline.mode == "max"


def test_a_pass_is_as_good_as_its_metric(make_run: Callable[..., Any]) -> None:
    plan, results, _ = make_run(VALUES, metric="tiles.ece")
    assert with_headline(plan, results, "test/tiles.ece", built_in_catalogue()).headline.mode == "min"


def test_the_table_has_every_metric_with_its_interval_and_what_it_cost(make_run: Callable[..., Any]) -> None:
    plan, results, failures = make_run(VALUES)
    results = {
        trial: result.model_copy(update={"num_parameters": 1234, "seconds": 36.0, "steps": 100})
        for trial, result in results.items()
    }
    tokens = {plan.trials[0].id: 7200.0}
    table = metric_table(plan, results, failures, tokens)
    assert table.metrics == ("train/balanced_accuracy", "valid/balanced_accuracy", "test/balanced_accuracy")
    base, wide, deep = table.variants
    found = wide.metrics["test/balanced_accuracy"]
    assert found.interval is not None
    low, high = stats.t.interval(0.95, 2, *_mean_and_error(VALUES["wide"]))
    assert (found.mean, found.interval.low, found.interval.high) == pytest.approx((sum(VALUES["wide"]) / 3, low, high))
    assert (deep.num_finished, deep.num_planned) == (1, 3)
    assert deep.metrics["test/balanced_accuracy"].interval is None
    assert base.cost.model_dump() == {
        "parameters": 1234,
        "steps": 100,
        "hours": 0.01,
        "ms_per_step": 360,
        "tokens_per_second": 200,
    }
    assert wide.cost.tokens_per_second is None


def _mean_and_error(values: list[float]) -> tuple[float, float]:
    return sum(values) / len(values), float(stats.sem(values))


def test_a_narrow_terminal_has_more_tables_and_loses_nothing(make_run: Callable[..., Any]) -> None:
    plan, results, failures = make_run(VALUES)
    names = [f"metric_of_a_long_name_{number}" for number in range(7)]
    results = {
        trial: result.model_copy(update={"best": result.best | {f"test/{name}": 0.5 for name in names}})
        for trial, result in results.items()
    }
    table = metric_table(plan, results, failures)
    text = metrics_as_text(table, 80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(f" {name}" in text for name in names)
    assert text.count("test, further") >= 2
    assert metrics_as_markdown(table).count("| wide |") == 4


def test_the_command(trained: Path) -> None:
    code, text = craftc(trained, "report", "tiny", "--metric", "valid/loss")
    assert code == 0
    assert "valid/loss (" in text
    assert "lower is better" in text
    code, text = craftc(trained, "report", "tiny", "--metric", "all", "--format", "json")
    table = json.loads(text)
    assert {"train/loss", "valid/loss", "test/loss"} <= set(table["metrics"])
    assert [row["num_finished"] for row in table["variants"]] == [3, 3]
    assert all(row["cost"]["parameters"] > 0 for row in table["variants"])
    code, text = craftc(trained, "report", "tiny", "--metric", "valid/los")
    assert (code, text.splitlines()[-1]) == (2, 'no trial of tiny has "valid/los"; did you mean "valid/loss"?')


def test_a_pass_has_the_trivial_predictor_of_its_metric(make_run: Callable[..., Any]) -> None:
    """A constant output is the same however a model is asked."""
    plan, results, failures = make_run(VALUES, metric="free.accuracy")
    for trial, result in results.items():
        results[trial] = result.model_copy(update={"trivial": {"test/accuracy": 0.25, "test/free.other": 0.5}})
    assert conclude(plan, results, failures).trivial is None
    evaluation = {"evaluation": {"passes": {"free": {"views": {"kind": "none"}}}}}
    trials = tuple(trial.model_copy(update={"config": trial.config | evaluation}) for trial in plan.trials)
    found = conclude(plan.model_copy(update={"trials": trials}), results, failures).trivial
    assert found is not None
    assert found.value == 0.25
