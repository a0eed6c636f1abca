"""Looking several times while seeds are added: error rates hold, by simulation, and looking saves seeds."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.report.conclude import conclude, decided_variants
from craftc.report.render_text import render_text
from craftc.report.sequential import boundaries, spent
from craftc.report.t_tests import SequentialTest
from craftc.schemas.analysis_plan import AnalysisPlan
from craftc.schemas.conclusion import Conclusion, Look

LOOKS = (3, 5, 8, 12)
NUM = 10_000
TOLERANCE = 3 * math.sqrt(0.05 * 0.95 / NUM)


def t_at(differences: NDArray[np.float64], num: int) -> NDArray[np.float64]:
    seen = differences[..., :num]
    return np.asarray(seen.mean(-1) / (seen.std(-1, ddof=1) / math.sqrt(num)))


def sequential_p(differences: NDArray[np.float64], looks: tuple[int, ...] = LOOKS) -> NDArray[np.float64]:
    """Two-sided, (look, ...): as it stands after each look."""
    found = boundaries(looks)
    one_sided = [found.p_value(k, np.abs(t_at(differences, num)), num - 1) for k, num in enumerate(looks)]
    return np.minimum(1.0, 2 * np.minimum.accumulate(one_sided, axis=0))


def simulated(num_variants: int, effect: float, seed: int) -> NDArray[np.float64]:
    """Differences to a baseline that all variants of a run share, (run, variant, seed); their spread is 1."""
    values = np.random.default_rng(seed).normal(0.0, math.sqrt(0.5), (NUM, num_variants + 1, LOOKS[-1]))
    return np.asarray(values[:, 1:] - values[:, :1] + effect)


@pytest.mark.parametrize("looks", [(2, 3, 5, 8, 10), (3, 5, 8, 12), (5, 8)])
def test_at_each_look_no_more_is_spent_than_planned(looks: tuple[int, ...]) -> None:
    differences = np.random.default_rng(0).normal(0, 1, (200_000, looks[-1]))
    p_values = sequential_p(differences, looks)
    for level in (0.2, 0.05, 0.01):
        for k, num in enumerate(looks):
            planned = spent(level, num / looks[-1])
            error = math.sqrt(planned / len(differences))
            assert (p_values[k] <= level).mean() == pytest.approx(planned, abs=4 * error)


def test_at_the_first_look_the_boundary_is_students() -> None:
    found = boundaries(LOOKS)
    expected = stats.t.isf(spent(0.025, 3 / 12), 2)

    assert found.t(0, 0.025, 2) == pytest.approx(expected, rel=1e-3)
    assert found.p_value(0, np.array(expected), 2) == pytest.approx(0.025, rel=1e-3)


def test_one_look_is_the_fixed_test() -> None:
    differences = np.random.default_rng(3).normal(0.5, 1, (50, 6))
    expected = stats.ttest_1samp(differences, 0, axis=1).pvalue

    assert sequential_p(differences, (6,))[0] == pytest.approx(expected, rel=2e-3)


def test_of_ten_thousand_runs_without_effects_at_most_five_percent_have_a_false_verdict() -> None:
    """Six variants, Holm's correction; a run errs where its least p-value is below a sixth of 5% at any look. Naive
    looks err more than twice as often as they say."""
    differences = simulated(6, 0.0, seed=1)
    false = (sequential_p(differences)[-1].min(1) < 0.05 / 6).mean()
    alone = (sequential_p(differences[:, 0])[-1] < 0.05).mean()
    naive = np.any([stats.ttest_1samp(differences[:, 0, :n], 0, axis=1).pvalue < 0.05 for n in LOOKS], axis=0).mean()

    assert false < 0.05 + TOLERANCE
    assert alone == pytest.approx(0.05, abs=TOLERANCE)
    assert naive > 0.1


def test_looking_has_nearly_the_power_of_all_seeds_and_takes_fewer() -> None:
    differences = simulated(1, 1.2, seed=2)[:, 0]
    p_values = sequential_p(differences)
    fixed = (stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05).mean()
    decided = p_values < 0.05
    taken = np.where(decided.any(0), np.array(LOOKS)[decided.argmax(0)], LOOKS[-1])

    assert fixed > 0.95
    assert decided[-1].mean() > fixed - 0.08
    assert taken.mean() < 0.75 * LOOKS[-1]


def test_the_interval_of_all_looks_misses_the_truth_in_at_most_five_percent() -> None:
    missed = 0
    differences = simulated(1, 0.7, seed=4)[:2000, 0]
    for each in differences:
        looks = [
            Look(num_seeds=n, num_pairs=n, mean=each[:n].mean(), standard_error=each[:n].std(ddof=1) / math.sqrt(n))
            for n in LOOKS
        ]
        # A run stops where its interval excludes zero.
        for taken in range(1, len(LOOKS) + 1):
            test = SequentialTest(looks[:taken], LOOKS)
            interval = test.interval()
            assert interval is not None
            excludes = interval.low > 0 or interval.high < 0
            assert excludes == (2 * min(test.p_above(0.0), test.p_below(0.0)) < 0.05)
            if excludes or taken == len(LOOKS):
                missed += not interval.low <= 0.7 <= interval.high
                break

    assert missed / 2000 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


FULL = (0.912, 0.931, 0.904, 0.918, 0.925, 0.915, 0.921, 0.909)


def plus(*differences: float) -> tuple[float, ...]:
    return tuple(value + difference for value, difference in zip(FULL, differences, strict=False))


VALUES = {
    "full": FULL,
    "-a": plus(-0.2, -0.201, -0.199, -0.2, -0.202, -0.2, -0.2, -0.2),
    "-b": plus(-0.02, -0.03, -0.025, -0.03, -0.022, -0.02, -0.02, -0.02),
    "-c": plus(0.02, -0.03, 0.01, -0.02, 0.03, -0.01, 0.005, 0.01),
}


def planned(make_run: Any, values: Any, margin: float | None = None) -> Any:
    plan, results, failures = make_run(values)
    how = AnalysisPlan(looks=(3, 5, 8), margin=margin, features=("a", "b", "c"))
    return plan.model_copy(update={"analysis_plan": how}), results, failures


def after(num: int, **values: Any) -> dict[str, tuple[float | None, ...]]:
    """The values so far: of `num` seeds, but of those that a variant has."""
    return {name: (*of[:num], *[None] * (8 - min(num, len(of)))) for name, of in VALUES.items()} | values


def statuses(conclusion: Conclusion, name: str) -> list[str]:
    return [seed.status for row in conclusion.variants if row.name == name for seed in row.seeds]


def test_what_is_decided_at_a_look_gets_no_more_seeds(make_run: Any) -> None:
    assert decided_variants(*planned(make_run, after(2))) == set()
    assert decided_variants(*planned(make_run, after(3))) == {"-a"}
    assert decided_variants(*planned(make_run, after(5))) == {"-a", "-b"}
    # Between two looks nothing is decided.
    assert decided_variants(*planned(make_run, after(4))) == {"-a"}


def test_the_baseline_gets_no_more_seeds_once_all_others_are_decided(make_run: Any) -> None:
    values = {name: of for name, of in after(3).items() if name in ("full", "-a")}

    assert decided_variants(*planned(make_run, values)) == {"full", "-a"}


def test_the_report_says_why_a_variant_has_fewer_seeds(make_run: Any) -> None:
    values = after(8) | {"-a": (*VALUES["-a"][:3], *[None] * 5), "-b": (*VALUES["-b"][:5], *[None] * 3)}
    conclusion = conclude(*planned(make_run, values))
    rows = {row.name: row for row in conclusion.variants}

    assert statuses(conclusion, "-a") == ["finished"] * 3 + ["withheld"] * 5
    assert statuses(conclusion, "-b") == ["finished"] * 5 + ["withheld"] * 3
    assert [(rows[name].num_finished, rows[name].num_planned) for name in VALUES] == [(8, 8), (3, 3), (5, 5), (8, 8)]
    assert rows["-a"].notes == ("decided after 3 of at most 8 seeds",)
    assert rows["-b"].difference is not None
    assert [look.num_seeds for look in rows["-b"].difference.looks] == [3, 5]
    assert rows["-c"].difference is not None
    assert rows["-c"].difference.decision == "undecided"
    assert not [finding for finding in conclusion.findings if finding.kind == "unfinished"]
    text = " ".join(render_text(conclusion, 200).split())
    assert "with looks at 3, 5 and 8 seeds" in text
    assert "-a: decided after 3 of at most 8 seeds." in text


def test_an_undecided_variant_without_its_seeds_is_unfinished(make_run: Any) -> None:
    conclusion = conclude(*planned(make_run, after(5)))

    assert statuses(conclusion, "-c")[5:] == ["unfinished"] * 3
    assert statuses(conclusion, "full")[5:] == ["unfinished"] * 3
    assert [finding.kind for finding in conclusion.findings if finding.kind == "unfinished"]


def test_variants_whose_seeds_failed_count_as_comparisons_from_the_first_look_on(make_run: Any) -> None:
    """Otherwise what two comparisons decided would be undecided among four."""
    # t is 11.8, which Pocock's spending lets one variant alone decide with three seeds, and one of four not.
    clear = (*plus(-0.02, -0.025, -0.0268), *[None] * 5)
    alone = {"full": after(3)["full"], "-a": clear}
    failed = {name: (*["failed"] * 3, *[None] * 5) for name in ("-b", "-c", "-d")}

    assert "-a" in decided_variants(*planned(make_run, alone))
    assert "-a" not in decided_variants(*planned(make_run, alone | failed))


def test_equality_is_decided_at_a_look_too(make_run: Any) -> None:
    values = {"full": FULL[:3], "-a": plus(0.0001, -0.0002, 0.0)}
    values = {name: (*of, *[None] * 5) for name, of in values.items()}

    assert decided_variants(*planned(make_run, values)) == set()
    assert decided_variants(*planned(make_run, values, margin=0.02)) == {"full", "-a"}


SPEC = """craftc: 1
name: example
data: {source: digits}
model: mlp
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 10, batch_size: 32, optimizer: {kind: adamw, lr: 1e-3}}
ablation: {seeds: %s, grid: {training.optimizer.lr: [1e-2, 1e-4]}}
"""


@pytest.mark.parametrize(
    ("seeds", "looks"),
    [
        ("{at_most: 12}", (3, 5, 8, 12)),
        ("{at_least: 2, at_most: 3}", (2, 3)),
        ("{at_least: 5, at_most: 20}", (5, 8, 12, 18, 20)),
        ("4", ()),
    ],
)
def test_looks_are_half_as_many_seeds_more_each_time(seeds: str, looks: tuple[int, ...]) -> None:
    plan = compile_spec(SPEC % seeds, "spec.yaml", built_in_catalogue(), concurrent=2).plan

    assert plan is not None
    assert plan.analysis_plan.looks == looks


def test_trials_of_two_looks_are_not_one_job_and_their_ids_are_those_of_any_spec() -> None:
    added, fixed = (
        compile_spec(SPEC % seeds, "spec.yaml", built_in_catalogue(), concurrent=1).plan
        for seeds in ("{at_least: 3, at_most: 8}", "8")
    )
    assert added is not None
    assert fixed is not None
    looks = [{added.look_of(added.trial(trial)) for trial in job.trials} for job in added.jobs]

    assert [trial.id for trial in added.trials] == [trial.id for trial in fixed.trials]
    assert max(len(job.trials) for job in added.jobs) > 1
    assert all(len(of_job) == 1 for of_job in looks)
