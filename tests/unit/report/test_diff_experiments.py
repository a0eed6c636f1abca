"""What two runs differ in: trials by fingerprint, conclusions by name, and never a number across metrics."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.report.conclude import conclude
from craftc.report.diff_conclusions import ConcludedRun
from craftc.report.diff_experiments import Experiment, diff_experiments
from craftc.report.render_comparison import MOST_LINES, render_comparison
from craftc.schemas.comparison import Comparison, Side
from craftc.schemas.plan import Trial

WORSE = {"better": "worse", "worse": "better"}


def experiment(run: Any, label: str = "x/1") -> Experiment:
    plan, results, failures = run
    side = Side(kind="run", label=label, name=plan.name, num_trials=len(plan.trials), num_finished=len(results))
    concluded = ConcludedRun(plan, conclude(plan, results, failures))
    return Experiment(side, plan, None, frozenset(results), "it was not kept", concluded)


def compared(a: Any, b: Any) -> Comparison:
    return diff_experiments(experiment(a), experiment(b))


def with_trials(run: Any, change: Any) -> Any:
    """The run with every trial changed; results follow the trials' new ids."""
    plan, results, failures = run
    changed = [change(trial) for trial in plan.trials]
    ids = {old.id: new.id for old, new in zip(plan.trials, changed, strict=True)}
    moved = {ids[i]: result.model_copy(update={"trial": ids[i]}) for i, result in results.items()}
    return plan.model_copy(update={"trials": tuple(changed)}), moved, {ids[i]: f for i, f in failures.items()}


def retrained(trial: Trial) -> Trial:
    """The same variant and seed with another learning rate, and so another fingerprint."""
    return trial.model_copy(update={"id": trial.id[::-1], "config": {**trial.config, "training": {"lr": 0.5}}})


def statuses(comparison: Comparison) -> dict[str, str]:
    return {change.name: change.status for change in comparison.trials.variants}


def test_a_run_and_itself_do_not_differ(ablation: Any) -> None:
    found = compared(ablation, ablation)
    assert found.fields == ()
    assert set(statuses(found).values()) == {"same"}
    assert (found.trials.num_only_a, found.trials.num_only_b) == (0, 0)
    assert found.conclusion is not None
    assert (found.conclusion.only_a, found.conclusion.only_b) == ((), ())
    assert all(row.same_trials and row.difference is None for row in found.conclusion.rows)


def test_a_changed_variant_says_which_fields(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.91, 0.92), "-warmup": (0.8, 0.81, 0.822)})
    better = make_run({"full": (0.95, 0.961, 0.972), "-warmup": (0.8, 0.81, 0.822)})
    found = compared(run, with_trials(better, retrained))
    change = found.trials.variants[0]
    assert (change.name, change.status) == ("full", "changed")
    assert [(field.path, field.kind, field.b) for field in change.fields] == [("training", "added", {"lr": 0.5})]
    assert found.conclusion is not None
    full, warmup = found.conclusion.rows
    assert full.difference is not None
    assert full.difference.mean == pytest.approx(0.051)
    assert full.difference.verdict == "better"
    assert warmup.difference is not None
    assert warmup.difference.mean == 0.0
    assert (warmup.verdict_a, warmup.verdict_b) == ("worse", "worse")
    assert (full.verdict_a, full.verdict_b) == (None, None)


def test_a_renamed_variant_is_told_and_compared(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.91), "-warmup": (0.8, 0.81)})
    names = {"full": "full", "-warmup": "-ramp"}
    renamed = with_trials(run, lambda trial: trial.model_copy(update={"variant": names[trial.variant]}))
    found = compared(run, renamed)
    assert statuses(found) == {"full": "same", "-ramp": "renamed"}
    assert found.trials.variants[1].other_name == "-warmup"
    assert found.trials.num_common == 4
    assert found.conclusion is not None
    assert [(row.name, row.name_a) for row in found.conclusion.rows] == [("full", None), ("-ramp", "-warmup")]
    assert "-warmup is now called -ramp" in render_comparison(found, 100)


def test_more_seeds_are_no_change(make_run: Any) -> None:
    found = compared(make_run({"full": (0.9, 0.91)}), make_run({"full": (0.9, 0.91, 0.95)}))
    assert statuses(found) == {"full": "reseeded"}
    assert (found.trials.num_common, found.trials.num_only_b, found.trials.num_only_b_finished) == (2, 1, 1)
    assert "full: seed 2 only in B" in render_comparison(found, 100)
    assert found.conclusion is not None
    row = found.conclusion.rows[0]
    assert row.same_trials
    assert row.a is not None
    assert row.b is not None
    assert (row.a.num_seeds, row.b.num_seeds, row.difference) == (2, 3, None)


def test_new_and_gone_say_where_their_trials_are_all_the_same(make_run: Any) -> None:
    run = make_run({"full": (0.9,), "lr=1": (0.8,)})
    folded = make_run({"full": (0.9,)}, aliases={"full": ("lr=2",)})
    found = compared(run, folded)
    assert statuses(found) == {"full": "same", "lr=2": "new", "lr=1": "gone"}
    assert [change.other_name for change in found.trials.variants] == [None, "full", None]


@pytest.mark.parametrize(
    "other",
    [
        {"metric": "accuracy"},
        {"identities": {"full": "macro recall over 2 classes", "-x": "macro recall over 2 classes"}},
    ],
)
def test_another_metric_is_not_comparable_and_has_no_number(make_run: Any, other: Any) -> None:
    values = {"full": (0.912, 0.923, 0.934), "-x": (0.712, 0.723, 0.734)}
    found = compared(make_run(values), with_trials(make_run(values, **other), retrained))
    assert found.conclusion is not None
    assert not found.conclusion.comparable
    for row in found.conclusion.rows:
        assert not row.comparable
        assert (row.a, row.b, row.difference) == (None, None, None)
        assert row.notes
    text = render_comparison(found, 140)
    table = text[text.index("variant  ") : text.index("Only A finds") if "Only A finds" in text else None]
    assert "not comparable" in table
    assert "0." not in table


def test_other_samples_are_told(make_run: Any) -> None:
    values = {"full": (0.9, 0.91)}
    found = compared(make_run(values), with_trials(make_run(values, data={"full": "mnist_5k"}), retrained))
    assert found.conclusion is not None
    assert found.conclusion.rows[0].notes == ("measured on other samples: data.source differs",)


def test_findings_that_appear_and_vanish_but_not_their_numbers(make_run: Any) -> None:
    one = make_run({"full": (0.9, 0.91, 0.92), "-a": (0.7, 0.71, 0.73), "-b": (0.9, 0.92, 0.91)})
    other = make_run({"full": (0.9, 0.91, 0.92), "-a": (0.6, 0.61, 0.63), "-b": (0.5, 0.51, 0.53)})
    found = compared(one, with_trials(other, retrained)).conclusion
    assert found is not None
    assert [f.variants for f in found.only_b if f.kind == "difference"] == [("-b",)]
    assert not [f for f in found.only_a if f.kind == "difference"]
    assert [f.variants for f in found.only_a if f.kind == "no-difference"] == [("-b",)]


def test_a_changed_baseline_is_told(make_run: Any) -> None:
    values = {"full": (0.9, 0.91), "base": (0.8, 0.81)}
    found = compared(make_run(values), make_run(values, baseline="base"))
    assert found.conclusion is not None
    assert not found.conclusion.baseline_is_renamed
    assert "baseline: full -> base" in render_comparison(found, 100)


def test_a_long_comparison_is_cut_unless_all_is_asked(make_run: Any) -> None:
    few = make_run({"full": (0.9,)})
    many = make_run({"full": (0.9,)} | {f"n={i}": (0.5,) for i in range(MOST_LINES + 5)})
    found = compared(few, many)
    short, long = render_comparison(found, 100), render_comparison(found, 100, everything=True)
    assert "and 6 more; --all shows them" in short
    assert f"+ n={MOST_LINES + 4}: new" not in short
    assert f"+ n={MOST_LINES + 4}: new" in long
    assert "--all" not in long


RUNS = st.dictionaries(
    st.sampled_from(["full", "-a", "-b", "+c", "lr=1"]),
    st.lists(st.sampled_from([0.5, 0.75, 0.875, "failed", None]), min_size=1, max_size=3).map(tuple),
    min_size=1,
)


@given(RUNS, RUNS, st.booleans(), st.booleans())
@settings(max_examples=60)
def test_the_other_way_round_it_is_the_reverse(make_run: Any, a: Any, b: Any, anew: bool, renames: bool) -> None:
    one, other = make_run(a), make_run(b)
    if anew:
        other = with_trials(other, retrained)
    if renames:
        other = with_trials(other, lambda trial: trial.model_copy(update={"variant": f"new {trial.variant}"}))
        other = (other[0].model_copy(update={"baseline": f"new {other[0].baseline}"}), *other[1:])
    there, back = compared(one, other), compared(other, one)
    assert there.trials.num_only_a == back.trials.num_only_b
    opposite = {"new": "gone", "gone": "new"}
    seen = {frozenset((c.name, c.other_name)): opposite.get(c.status, c.status) for c in there.trials.variants}
    assert seen == {frozenset((c.name, c.other_name)): c.status for c in back.trials.variants}
    assert there.conclusion is not None
    assert back.conclusion is not None
    rows = {frozenset((r.name, r.name_a or r.name)): r for r in there.conclusion.rows}
    for row in back.conclusion.rows:
        forth = rows[frozenset((row.name, row.name_a or row.name))]
        assert (forth.a, forth.b) == (row.b, row.a)
        assert (forth.verdict_a, forth.verdict_b) == (row.verdict_b, row.verdict_a)
        if row.difference is None:
            assert forth.difference is None
        else:
            assert forth.difference is not None
            assert forth.difference.mean == -row.difference.mean
            assert forth.difference.verdict == WORSE.get(row.difference.verdict, row.difference.verdict)
    assert render_comparison(there, 80)
