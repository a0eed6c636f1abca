"""A run as CSV and as LaTeX, and the paragraph that says how it came to its numbers."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from craftc.cli.main import app
from craftc.report.conclude import conclude
from craftc.report.render_csv import render_csv
from craftc.report.render_latex import escaped, render_latex
from craftc.report.render_markdown import render_markdown
from craftc.schemas.analysis_plan import AnalysisPlan, Hypothesis
from craftc.schemas.plan import SearchPlan

GOLDEN = Path(__file__).parent / "golden"


def csv_rows(run: Any) -> list[dict[str, str]]:
    plan, results, failures = run
    return list(csv.DictReader(io.StringIO(render_csv(plan, conclude(plan, results, failures), results))))


def test_csv_has_a_row_for_each_trial_with_every_metric(ablation: Any) -> None:
    plan, results, _ = ablation
    rows = csv_rows(ablation)

    assert [row["trial"] for row in rows] == [trial.id for trial in plan.trials]
    for row, trial in zip(rows, plan.trials, strict=True):
        assert (row["variant"], row["seed"]) == (trial.variant, str(trial.seed))
        result = results.get(trial.id)
        for which in ("best", "last"):
            for name in ("train", "valid", "test"):
                cell = row[f"{which}.{name}/balanced_accuracy"]
                expected = None if result is None else getattr(result, which)[f"{name}/balanced_accuracy"]
                assert (float(cell) if cell else None) == expected
    assert rows[0]["also"] == "num_layers=4"
    failed = next(row for row in rows if row["variant"] == "-dropout" and row["seed"] == "1")
    assert (failed["status"], failed["failure"], failed["best_epoch"]) == ("failed", "nan-loss", "")
    assert (rows[0]["status"], rows[0]["best_epoch"], rows[0]["last_epoch"]) == ("finished", "17", "20")


def test_csv_has_the_factors_of_each_trial(make_run: Any) -> None:
    plan, results, failures = make_run({"base": (0.9, 0.91), "b": (0.8, None)})
    overrides: dict[str, Any] = {"training.schedule": [{"kind": "cosine"}], "model.bias": True, "name, quoted": 'a "b"'}
    trials = [t.model_copy(update={"overrides": overrides}) if t.variant == "b" else t for t in plan.trials]
    factors = {"training.schedule": [], "model.bias": False, "name, quoted": None, "lr": 1e-3}
    changed = plan.model_copy(update={"trials": tuple(trials), "factors": factors})
    rows = csv_rows((changed, results, failures))

    assert [rows[0][path] for path in factors] == ["[]", "false", "", "0.001"]
    assert [rows[2][path] for path in factors] == ['[{"kind": "cosine"}]', "true", 'a "b"', "0.001"]
    assert [row["status"] for row in rows] == ["finished", "finished", "finished", "unfinished"]


def test_csv_and_latex_of_the_command_line(ablation: Any, write_run: Any) -> None:
    folder = str(write_run(ablation))
    conclusion = conclude(*ablation)

    assert CliRunner().invoke(app, ["report", folder, "--format", "latex"]).stdout == render_latex(conclusion)
    found = CliRunner().invoke(app, ["report", folder, "--format", "csv"])
    assert found.stdout == render_csv(ablation[0], conclusion, ablation[1])


def test_latex_is_as_recorded(ablation: Any, update_goldens: bool) -> None:
    text, path = render_latex(conclude(*ablation)), GOLDEN / "ablation.tex"
    if update_goldens:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_row_of_the_latex_table_has_every_column(ablation: Any) -> None:
    lines = render_latex(conclude(*ablation)).splitlines()
    first, last = lines.index(r"\toprule"), lines.index(r"\bottomrule")
    rows = [line for line in lines[first:last] if line.endswith(r"\\")]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", "\n".join(lines))

    assert columns is not None
    assert len(rows) == 1 + 8 + 1
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns[1])}


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_no_text_is_a_command(text: str) -> None:
    """What is left once the known replacements are taken out has nothing special, and nothing is lost."""
    known = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"$\pm$": "±",
             "$<$": "<", "$>$": ">", "$-$": "\N{MINUS SIGN}"}  # fmt: skip
    known |= {f"\\{c}": c for c in "{}$&#%_"}
    parts = re.split("(" + "|".join(re.escape(each) for each in known) + ")", escaped(text))

    assert not set("\\{}$&#%_~^") & set("".join(parts[::2]))
    assert "".join(known.get(part, part) for part in parts) == text


@pytest.mark.parametrize("name", ["[odd]", "*odd"])
def test_a_name_is_no_argument_of_the_row_before(make_run: Any, name: str) -> None:
    text = render_latex(conclude(*make_run({"full": (0.9, 0.91), name: (0.8, 0.82)})))

    assert f"\n{{}}{name} & 2/2" in text


def test_the_methods_name_seeds_metric_selection_tests_and_versions(ablation: Any) -> None:
    conclusion = conclude(*ablation)

    assert conclusion.methods == (
        "7 variants of one experiment were trained with 3 seeds (0, 1, 2) each. They are judged by "
        "test/balanced_accuracy (macro recall over 10 classes), of which higher is better. The weights of each trial "
        "are those of its last epoch. Means over seeds are given with 95% Student-t intervals. Differences to full are "
        "paired by seed; their 95% intervals are not corrected for the number of comparisons. They are tested by "
        "two-sided paired t-tests at the 5% level. The p-values of 6 comparisons are given with Holm's correction. "
        "Trials failed of -dropout; nothing is decided in favour of what survived. Trained with craftc 0.1.0 on cpu."
    )
    assert "### Methods\n\n7 variants" in render_markdown(conclusion)


def with_plan(run: Any, **update: Any) -> Any:
    plan, results, failures = run
    return plan.model_copy(update=update), results, failures


def test_the_methods_say_what_a_run_has_beyond_that(make_run: Any) -> None:
    hypothesis = Hypothesis(name="-a", variant="-a", is_feature=False, claim="harms")
    how = AnalysisPlan(margin=0.01, correction="bh", hypotheses=(hypothesis,), looks=(2, 3))
    search = SearchPlan(
        metric="valid/loss", mode="min", space={}, sampler={"kind": "tpe"}, pruner={"kind": "none"}, trials=7, seed=0,
        variants=("full",),
    )  # fmt: skip
    values = {"full": (0.9, 0.91, 0.92), "-a": (0.8, 0.82, 0.81), "-b": (0.85, 0.8, None)}
    selected = make_run(values, select={"metric": "valid/loss", "mode": "min"})
    text = conclude(*with_plan(selected, analysis_plan=how, search=search)).methods

    for sentence in (
        "with 2 to 3 seeds each: at looks after 2 and 3 seeds, variants whose comparison was decided got no more.",
        "The weights of each trial are those of the epoch of the least valid/loss.",
        "A search by tpe proposed 7 points, to optimize valid/loss; the table is of the starting points.",
        "hold at all looks, with alpha spent as by Pocock's boundary (Lan and DeMets 1983).",
        "The p-values of 2 comparisons are given with the correction of Benjamini and Hochberg.",
        "two one-sided paired t-tests at the 5% level show a difference of less than 0.01.",
        "1 hypothesis stood in the spec of the run.",
        "Trials are missing of -b.",
    ):
        assert sentence in text


def test_the_methods_of_one_seed_claim_no_test(make_run: Any) -> None:
    text = conclude(*make_run({"full": (0.9,), "-a": (0.8,)}, mode="min")).methods

    assert "with 1 seed (0) each" in text
    assert "of which lower is better" in text
    assert "interval" not in text
    assert "test" not in text.replace("test/balanced_accuracy", "")


def test_without_results_there_is_no_method(make_run: Any) -> None:
    conclusion = conclude(*make_run({"full": (None,)}))

    assert conclusion.methods == ""
    assert "Methods" not in render_markdown(conclusion) + render_latex(conclusion)
