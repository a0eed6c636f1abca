"""What a run decides of each variant, with a margin and a correction, and of each hypothesis."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from craftc.cli.main import app
from craftc.report.compare import difference_of
from craftc.report.conclude import conclude, render_json
from craftc.report.decide import decide
from craftc.report.render_markdown import render_markdown
from craftc.report.render_text import render_text
from craftc.schemas.analysis_plan import AnalysisPlan, Claim, Correction, Hypothesis, Relation
from craftc.schemas.conclusion import Conclusion, Difference, MetricIdentity, VariantSummary

GOLDEN = Path(__file__).parent / "golden"
FULL = (0.912, 0.931, 0.904, 0.918, 0.925)


def plus(*differences: float) -> tuple[float, ...]:
    return tuple(value + difference for value, difference in zip(FULL, differences, strict=True))


VALUES = {
    "full": FULL,
    "-normalization": plus(-0.21, -0.2, -0.215, -0.205, -0.19),
    "-noise": plus(0.03, 0.032, 0.029, 0.034, 0.031),
    "-warmup": plus(0.001, -0.001, 0.0005, 0.0, -0.0008),
    "-dropout": plus(0.012, -0.01, 0.004, -0.007, 0.015),
    "num_layers=2": plus(-0.004, -0.0031, -0.0035, -0.0042, -0.0038),
}
FEATURES = ("normalization", "noise", "warmup", "dropout")


def expect(
    name: str, claim: Claim, relation: Relation | None = None, size: float | None = None, *, variant: str | None = None
) -> Hypothesis:
    is_feature = name in FEATURES
    default = f"-{name}" if is_feature else name
    return Hypothesis(
        name=name, variant=variant or default, is_feature=is_feature, claim=claim, relation=relation, size=size
    )


def concluded(
    make_run: Any,
    values: Any = VALUES,
    *,
    margin: float | None = None,
    correction: Correction = "holm",
    hypotheses: Sequence[Hypothesis] = (),
    mode: Literal["min", "max"] = "max",
) -> Conclusion:
    plan, results, failures = make_run(values, mode=mode)
    how = AnalysisPlan(margin=margin, correction=correction, hypotheses=tuple(hypotheses), features=FEATURES)
    return conclude(plan.model_copy(update={"analysis_plan": how}), results, failures)


def difference(conclusion: Conclusion, name: str) -> Difference:
    found = next(row for row in conclusion.variants if row.name == name).difference
    assert found is not None
    return found


def decisions(conclusion: Conclusion) -> dict[str, str | None]:
    return {row.name: row.difference.decision for row in conclusion.variants if row.difference}


def outcome(make_run: Any, hypothesis: Hypothesis, **options: Any) -> str:
    return concluded(make_run, hypotheses=[hypothesis], **options).hypotheses[0].outcome


def test_with_a_margin_each_row_is_better_worse_equal_or_undecided(make_run: Any) -> None:
    assert decisions(concluded(make_run, margin=0.005)) == {
        "-normalization": "worse",
        "-noise": "better",
        "-warmup": "equal",
        "-dropout": "undecided",
        "num_layers=2": "equal",
    }


def test_without_a_margin_nothing_is_equal(make_run: Any) -> None:
    conclusion = concluded(make_run)

    assert decisions(conclusion)["-warmup"] == "undecided"
    assert decisions(conclusion)["num_layers=2"] == "worse"
    assert difference(conclusion, "-warmup").equivalence is None


def test_equality_is_two_one_sided_tests_of_scipy(make_run: Any) -> None:
    conclusion = concluded(make_run, margin=0.005)
    for name, values in VALUES.items():
        if name != "full":
            spread = [a - b for a, b in zip(values, FULL, strict=True)]
            above = stats.ttest_1samp(spread, -0.005, alternative="greater").pvalue
            below = stats.ttest_1samp(spread, 0.005, alternative="less")
            found = difference(conclusion, name).equivalence
            assert found is not None
            assert found.p_value == pytest.approx(max(above, below.pvalue))
            low, high = stats.t.interval(0.9, 4, loc=np.mean(spread), scale=stats.sem(spread))
            assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
            assert (found.p_value < 0.05) == (low > -0.005 and high < 0.005)


def test_the_correction_decides_what_remains(make_run: Any) -> None:
    values = {"full": FULL, "-a": plus(0.02, 0.001, 0.012, 0.018, 0.003)}
    values |= {f"-b{i}": plus(0.01, -0.01, 0.012 + i / 1e4, -0.011, 0.001) for i in range(5)}
    by_each = {by: concluded(make_run, values, correction=by) for by in ("holm", "bh", "none")}

    assert difference(by_each["none"], "-a").decision == "better"
    assert difference(by_each["holm"], "-a").decision == "undecided"
    p_value = difference(by_each["none"], "-a").p_value
    assert p_value is not None
    assert difference(by_each["bh"], "-a").p_value_adjusted == pytest.approx(6 * p_value)
    for by, words in (("bh", "Benjamini and Hochberg"), ("none", "not corrected either"), ("holm", "Holm's")):
        comparisons = [f.text for f in by_each[by].findings if f.kind == "comparisons"]
        assert words in comparisons[0]
        assert ("p (BH)" in render_markdown(by_each[by])) == (by == "bh")


def test_survivors_are_equal_to_nothing(make_run: Any) -> None:
    values = {"full": FULL, "-warmup": (*VALUES["-warmup"][:4], "failed")}
    conclusion = concluded(make_run, values, margin=0.005, hypotheses=[expect("warmup", "equal")])

    equivalence = difference(conclusion, "-warmup").equivalence
    assert equivalence is not None
    assert equivalence.p_value < 0.05
    assert decisions(conclusion) == {"-warmup": "undecided"}
    assert conclusion.hypotheses[0].outcome == "undecided"
    assert "seeds failed" in conclusion.hypotheses[0].reason


@pytest.mark.parametrize("margin", [None, 0.005])
def test_the_seeds_that_would_decide_are_told(make_run: Any, margin: float | None) -> None:
    conclusion = concluded(make_run, margin=margin)
    found = difference(conclusion, "-dropout").seeds_needed

    assert found is not None
    assert found.effect == (margin or pytest.approx(0.0028))
    spread = np.std([a - b for a, b in zip(VALUES["-dropout"], FULL, strict=True)], ddof=1)
    assert found.alpha == pytest.approx(0.01)
    num = found.num_seeds or 100
    noncentrality = found.effect / spread * math.sqrt(num)
    reached = stats.nct.sf(stats.t.isf(0.005, num - 1), num - 1, noncentrality)
    assert (reached >= 0.8) == (found.num_seeds is not None)
    text = next(f.text for f in conclusion.findings if f.kind == "seeds-needed")
    assert f"-dropout {found.num_seeds or 'more than 100'}" in text
    assert difference(conclusion, "-noise").seeds_needed is None


@pytest.mark.parametrize(
    ("hypothesis", "without", "with_margin"),
    [
        (expect("normalization", "helps"), "confirmed", "confirmed"),
        (expect("normalization", "harms"), "refuted", "refuted"),
        (expect("-normalization", "harms"), "confirmed", "confirmed"),
        (expect("noise", "harms"), "confirmed", "confirmed"),
        (expect("noise", "helps"), "refuted", "refuted"),
        (expect("dropout", "helps"), "undecided", "undecided"),
        (expect("warmup", "helps"), "undecided", "refuted"),
        (expect("num_layers=2", "harms"), "confirmed", "refuted"),
        (expect("warmup", "equal"), None, "confirmed"),
        (expect("noise", "equal"), None, "refuted"),
        (expect("dropout", "equal"), None, "undecided"),
        (expect("noise", "differs_by", ">=", 0.025), "confirmed", "confirmed"),
        (expect("noise", "differs_by", ">", 0.04), "refuted", "refuted"),
        (expect("noise", "differs_by", ">=", 0.031), "undecided", "undecided"),
        (expect("normalization", "differs_by", "<=", 0.25), "confirmed", "confirmed"),
        (expect("normalization", "differs_by", "<", 0.1), "refuted", "refuted"),
    ],
)
def test_outcomes(make_run: Any, hypothesis: Hypothesis, without: str | None, with_margin: str) -> None:
    assert outcome(make_run, hypothesis, margin=0.005) == with_margin
    if without is not None:
        assert outcome(make_run, hypothesis) == without


def test_where_lower_is_better_what_lowers_it_helps(make_run: Any) -> None:
    assert outcome(make_run, expect("noise", "helps"), mode="min") == "confirmed"
    assert outcome(make_run, expect("-noise", "helps"), mode="min") == "refuted"


def test_the_interval_is_the_one_that_decides(make_run: Any) -> None:
    hypotheses = [
        expect("normalization", "helps"),
        expect("warmup", "equal"),
        expect("noise", "differs_by", ">", 0.04),
        expect("dropout", "helps"),
    ]
    conclusion = concluded(make_run, margin=0.005, hypotheses=hypotheses)
    by_name = {each.name: each for each in conclusion.hypotheses}

    assert [each.outcome for each in conclusion.hypotheses] == ["confirmed", "confirmed", "refuted", "undecided"]
    for name, bound, kind in (
        ("normalization", 0.0, "beyond"),
        ("warmup", 0.005, "within"),
        ("noise", 0.04, "within"),
        ("dropout", 0.0, "open"),
    ):
        found = by_name[name]
        assert found.interval is not None
        assert found.confidence is not None
        spread = [a - b for a, b in zip(VALUES[f"-{name}"], FULL, strict=True)]
        low, high = stats.t.interval(found.confidence, 4, loc=np.mean(spread), scale=stats.sem(spread))
        assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
        is_within, is_beyond = -bound < low and high < bound, low > bound or high < -bound
        assert {"within": is_within, "beyond": is_beyond, "open": not is_within and not is_beyond}[kind]
    # Of four, Holm's first step has 1.25%, and a test of two sides that lies within twice that.
    assert by_name["normalization"].confidence == pytest.approx(1 - 0.05 / 4)
    assert by_name["noise"].confidence == pytest.approx(1 - 2 * 0.05 / 4)


def test_what_cannot_be_tested_says_why(make_run: Any) -> None:
    values = {"full": FULL, "-warmup": (None,) * 5, "-noise": tuple(value - 0.1 for value in FULL)}
    conclusion = concluded(make_run, values, hypotheses=[expect("warmup", "helps"), expect("noise", "helps")])

    assert [each.outcome for each in conclusion.hypotheses] == ["undecided", "undecided"]
    assert conclusion.hypotheses[0].reason == "-warmup could not be compared with full: its trials have not finished"
    assert conclusion.hypotheses[1].reason == "every seed gave the same difference"


def test_results_that_were_known_before_are_told(make_run: Any) -> None:
    plan, results, failures = make_run(VALUES)
    trials = [trial.model_copy(update={"status": "reused"}) if trial.seed < 2 else trial for trial in plan.trials]
    how = AnalysisPlan(hypotheses=(expect("noise", "harms"),), features=FEATURES)
    conclusion = conclude(plan.model_copy(update={"analysis_plan": how, "trials": tuple(trials)}), results, failures)

    assert (conclusion.hypotheses[0].num_known, conclusion.hypotheses[0].num_trials) == (4, 10)
    assert "4 of its 10 trials had finished before this run began." in " ".join(render_text(conclusion, 200).split())


HYPOTHESES = (
    expect("normalization", "helps"),
    expect("warmup", "equal"),
    expect("dropout", "differs_by", ">=", 0.01),
    expect("noise", "helps"),
)


@pytest.mark.parametrize("width", [120, 80])
def test_text_is_as_recorded(make_run: Any, update_goldens: bool, width: int) -> None:
    conclusion = concluded(make_run, margin=0.005, hypotheses=HYPOTHESES)
    check(GOLDEN / f"verdicts_{width}.txt", render_text(conclusion, width), update_goldens)


def test_markdown_is_as_recorded(make_run: Any, update_goldens: bool) -> None:
    conclusion = concluded(make_run, margin=0.005, hypotheses=HYPOTHESES)
    check(GOLDEN / "verdicts.md", render_markdown(conclusion), update_goldens)


def check(path: Path, text: str, update: bool) -> None:
    if update:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_json_has_verdicts_and_hypotheses(make_run: Any) -> None:
    document = json.loads(render_json(concluded(make_run, margin=0.005, hypotheses=HYPOTHESES)))

    assert (document["margin"], document["correction"]) == (0.005, "holm")
    row = next(row for row in document["variants"] if row["name"] == "-warmup")
    assert (row["feature"], row["difference"]["decision"]) == ("warmup", "equal")
    assert [each["outcome"] for each in document["hypotheses"]] == ["confirmed", "confirmed", "undecided", "refuted"]


@pytest.mark.parametrize(
    ("hypotheses", "code", "told"),
    [
        (HYPOTHESES[:2], 0, ""),
        (HYPOTHESES[:3], 1, "undecided: dropout differs by >= 0.01\n"),
        (HYPOTHESES[3:], 1, "refuted: noise helps\n"),
        ((), 2, "there is nothing to check: the spec of this run has no report.hypotheses\n"),
    ],
)
def test_check_has_an_exit_code(
    make_run: Any, write_run: Any, hypotheses: tuple[Hypothesis, ...], code: int, told: str
) -> None:
    plan, results, failures = make_run(VALUES)
    how = AnalysisPlan(margin=0.005, hypotheses=hypotheses, features=FEATURES)
    folder = write_run((plan.model_copy(update={"analysis_plan": how}), results, failures))

    found = CliRunner().invoke(app, ["report", str(folder), "--check"])

    assert (found.exit_code, found.stderr) == (code, told)
    assert CliRunner().invoke(app, ["report", str(folder)]).exit_code == 0


def simulated(seed: int, effects: Sequence[float], num_seeds: int, plan: AnalysisPlan) -> list[str | None]:
    """What one run with true effects decides of its variants, which share the baseline's trials."""
    draws = np.random.default_rng(seed)
    baseline = dict(enumerate(draws.normal(0, 0.01, num_seeds)))
    rows = [summary("full", None)]
    for index, effect in enumerate(effects):
        values = dict(enumerate(draws.normal(effect, 0.01, num_seeds)))
        rows.append(summary(f"-{index}", difference_of(values, baseline, "max")))
    return [row.difference.decision for row in decide(rows, plan) if row.difference]


def summary(name: str, of: Difference | None) -> VariantSummary:
    metric = MetricIdentity(split="test", name="accuracy", averaging=None)
    return VariantSummary(
        name=name, is_baseline=of is None, metric=metric, num_planned=1, num_finished=1, seeds=(), difference=of
    )


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_without_effects_at_most_one_run_in_twenty_has_a_false_verdict(num_seeds: int) -> None:
    runs = [simulated(seed, [0.0] * 6, num_seeds, AnalysisPlan()) for seed in range(2000)]
    false = np.mean([any(decision != "undecided" for decision in run) for run in runs])

    assert false < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_what_differs_by_the_margin_is_seldom_called_equal() -> None:
    plan = AnalysisPlan(margin=0.02)
    runs = [simulated(seed, [0.02] * 3, 8, plan) for seed in range(2000)]
    false = np.mean(["equal" in run for run in runs])
    alone = np.mean(["equal" in simulated(seed, [0.02], 8, plan) for seed in range(2000)])
    equal = np.mean(["equal" in simulated(seed, [0.0], 8, plan) for seed in range(500)])

    assert false < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)
    assert alone == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 2000))
    assert equal > 0.8
