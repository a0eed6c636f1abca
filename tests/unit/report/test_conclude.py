"""What is concluded from a run's results, and what is not."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.report.cells import best_rows, stars
from craftc.report.conclude import conclude
from craftc.report.render_text import render_text
from craftc.schemas.conclusion import Conclusion, Difference, Estimate, VariantSummary
from craftc.schemas.result import Result


def row(conclusion: Conclusion, name: str) -> VariantSummary:
    return next(row for row in conclusion.variants if row.name == name)


def difference(conclusion: Conclusion, name: str) -> Difference:
    found = row(conclusion, name).difference
    assert found is not None
    return found


def sentences(conclusion: Conclusion, kind: str) -> list[str]:
    return [finding.text for finding in conclusion.findings if finding.kind == kind]


def test_a_row_has_every_number(ablation: Any) -> None:
    conclusion = conclude(*ablation)
    full = row(conclusion, "full")

    assert [seed.value for seed in full.seeds] == [0.912, 0.931, 0.904]
    assert full.value is not None
    assert full.value.mean == pytest.approx(0.915667, abs=1e-6)
    assert full.at_last == pytest.approx(full.value.mean - 0.005)
    assert full.gap == pytest.approx(0.04)
    assert (full.best_epoch, full.last_epoch) == (18, 20)
    assert (full.num_finished, full.num_planned) == (3, 3)
    assert full.metric.model_dump() == {
        "split": "test",
        "name": "balanced_accuracy",
        "averaging": "macro recall over 10 classes",
    }
    assert conclusion.gap_splits == ("train", "valid")
    assert conclusion.trivial is not None
    assert conclusion.trivial.value == pytest.approx(0.1)


def test_differences_use_only_the_seeds_that_both_have(ablation: Any) -> None:
    found = difference(conclude(*ablation), "-dropout")

    assert found.seeds == (0, 2)
    assert found.mean == pytest.approx(((0.920 - 0.912) + (0.911 - 0.904)) / 2)


def test_findings_name_what_matters_and_what_was_not_shown(ablation: Any) -> None:
    conclusion = conclude(*ablation)

    assert sentences(conclusion, "difference")[0] == (
        "Without normalization, test/balanced_accuracy falls by 0.215 [0.205, 0.225] (3 paired seeds)."
    )
    assert sentences(conclusion, "no-difference") == ["No difference to full shown for -class_weights, -warmup."]
    assert sentences(conclusion, "trivial") == [
        "The baseline (full) beats the trivial predictor: test/balanced_accuracy 0.916 [0.881, 0.950] against 0.100."
    ]
    assert "-warmup" in sentences(conclusion, "still-improving")[0]
    assert "6 comparisons" in sentences(conclusion, "comparisons")[0]
    assert "two seeds for -dropout" in sentences(conclusion, "few-seeds")[0]


def test_a_folded_variant_has_its_row_and_no_test_of_its_own(ablation: Any) -> None:
    conclusion = conclude(*ablation)
    folded = row(conclusion, "num_layers=4")

    assert folded.same_as == "full"
    assert folded.value == row(conclusion, "full").value
    assert folded.difference is None
    assert conclusion.num_comparisons == 6


def test_two_names_of_one_variant_count_as_one_comparison(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.8, 0.95), "-a": (0.5, 0.4, 0.6)}, aliases={"-a": ("x=1",)})

    conclusion = conclude(*run)

    assert row(conclusion, "x=1").same_as == "-a"
    assert difference(conclusion, "x=1") == difference(conclusion, "-a")
    assert conclusion.num_comparisons == 1
    assert difference(conclusion, "-a").p_value == difference(conclusion, "-a").p_value_holm


def test_the_baseline_may_be_an_alias(make_run: Any) -> None:
    run = make_run({"x=1": (0.9, 0.8), "-a": (0.5, 0.45)}, aliases={"x=1": ("full",)}, baseline="full")

    conclusion = conclude(*run)

    assert row(conclusion, "full").is_baseline
    assert row(conclusion, "full").same_as is None
    assert row(conclusion, "x=1").same_as == "full"
    assert difference(conclusion, "-a").mean == pytest.approx(-0.375)


def test_lower_is_better(make_run: Any) -> None:
    run = make_run({"full": (0.30, 0.31, 0.29), "-a": (0.5, 0.52, 0.49)}, metric="loss", mode="min")

    conclusion = conclude(*run)

    assert difference(conclusion, "-a").verdict == "worse"
    assert sentences(conclusion, "difference")[0].startswith("Without a, test/loss rises by 0.20")
    assert "(worse: lower is better; 3 paired seeds)" in sentences(conclusion, "difference")[0]
    assert sentences(conclusion, "trivial")[0].startswith("The baseline (full) beats")


def test_different_metrics_are_never_compared(make_run: Any) -> None:
    run = make_run(
        {"full": (0.3, 0.31), "-class_weights": (0.5, 0.52), "-a": (0.4, 0.43)},
        metric="loss",
        mode="min",
        identities={"-class_weights": "cross entropy, no class weights"},
    )

    conclusion = conclude(*run)
    other = row(conclusion, "-class_weights")

    assert other.difference is None
    assert not other.comparable
    assert "another metric here: cross entropy, no class weights" in other.notes[0]
    assert "-class_weights" in sentences(conclusion, "not-comparable")[0]
    assert conclusion.num_comparisons == 1


def test_seeds_that_measure_different_things_have_no_mean(make_run: Any) -> None:
    plan, results, failures = make_run({"full": (0.9, 0.8), "-a": (0.5, 0.4)})
    odd = plan.trials[3].id
    results[odd] = results[odd].model_copy(update={"identities": {"balanced_accuracy": "something else"}})

    found = row(conclude(plan, results, failures), "-a")

    assert found.value is None
    assert found.difference is None
    assert "not the same metric for every seed" in found.notes[0]


def test_other_samples_are_noted(make_run: Any) -> None:
    run = make_run({"full": (0.9, 0.8), "source=mnist": (0.5, 0.41)}, data={"source=mnist": "mnist_5k"})

    found = row(conclude(*run), "source=mnist")

    assert found.notes == ("measured on other samples than full: data.source differs",)
    (finding,) = sentences(conclude(*run), "difference")
    assert "on other samples than full" in finding
    assert found.difference is not None


@pytest.mark.parametrize(("stride", "note"), [("none", ("measured",)), (8, ())])
def test_windows_that_measure_every_character_are_of_the_same_samples(make_run: Any, stride: Any, note: Any) -> None:
    plan, results, failures = make_run({"full": (0.9, 0.8), "bpe": (0.5, 0.41)})
    trials = []
    for trial in plan.trials:
        is_bpe = trial.variant == "bpe"
        source = {"kind": "text_file", "path": "a.txt", "context_length": 16 if is_bpe else 32, "stride": stride}
        tokenizer = {"kind": "bpe", "vocab_size": 512} if is_bpe else {"kind": "char"}
        data = {**trial.config.get("data", {}), "source": source, "tokenizer": tokenizer}
        trials.append(trial.model_copy(update={"config": {**trial.config, "data": data}}))

    found = row(conclude(plan.model_copy(update={"trials": tuple(trials)}), results, failures), "bpe")

    assert tuple(each.partition(" ")[0] for each in found.notes) == note
    assert found.other_samples == bool(note)


@pytest.mark.parametrize("entry", ["failed", None])
def test_without_the_baseline_nothing_is_compared(make_run: Any, entry: str | None) -> None:
    conclusion = conclude(*make_run({"full": (entry, entry), "-a": (0.5, 0.4)}))

    assert row(conclusion, "-a").difference is None
    assert row(conclusion, "-a").value is not None
    assert "nothing could be compared" in sentences(conclusion, "not-comparable")[0]
    assert conclusion.metric.averaging == "macro recall over 10 classes"


def test_without_any_result_nothing_is_concluded(make_run: Any) -> None:
    conclusion = conclude(*make_run({"full": ("failed", None), "-a": (None, None)}))

    assert [finding.text for finding in conclusion.findings] == [
        "No trial has finished, so nothing can be concluded.",
        "Of 4 trials, 1 failed and 3 did not finish.",
    ]
    assert conclusion.trivial is None
    assert conclusion.metric.averaging is None


def test_failures_are_listed_in_one_line(ablation: Any) -> None:
    (failure,) = conclude(*ablation).failures

    assert (failure.variants, failure.seed, failure.epoch) == (("-dropout",), 1, 3)
    assert failure.message == "the loss is not finite; lower the learning rate or clip the gradients"


def test_a_message_cannot_drive_the_terminal(make_run: Any) -> None:
    plan, results, failures = make_run({"full": ("failed", 0.5)})
    only = next(iter(failures))
    failures[only] = failures[only].model_copy(update={"message": "\x1b[2Jgone\r\n\x07"})

    assert conclude(plan, results, failures).failures[0].message == "[2Jgone"


def test_a_metric_that_was_not_measured_is_left_out(make_run: Any) -> None:
    plan, results, failures = make_run({"full": (0.9, 0.8, 0.7), "-a": (0.5, 0.4, 0.3)})
    gone = plan.trials[4].id
    results[gone] = results[gone].model_copy(update={"best": {}, "last": {}})

    conclusion = conclude(plan, results, failures)
    found = row(conclusion, "-a")

    assert found.num_finished == 3
    assert found.value is not None
    assert found.value.num_seeds == 2
    assert difference(conclusion, "-a").seeds == (0, 2)
    assert found.notes == ("test/balanced_accuracy was not measured in 1 of 3 trials",)


def test_one_seed_gives_no_verdict(make_run: Any) -> None:
    conclusion = conclude(*make_run({"full": (0.9,), "-a": (0.5,)}))

    assert difference(conclusion, "-a").verdict == "untested"
    assert difference(conclusion, "-a").interval is None
    assert not sentences(conclusion, "difference")
    assert not sentences(conclusion, "no-difference")
    assert "Only one seed for every variant" in sentences(conclusion, "few-seeds")[0]


def test_the_gap_is_to_valid_or_else_the_first_other_split(make_run: Any) -> None:
    values = {"full": (0.9, 0.8)}

    assert conclude(*make_run(values, splits=("train", "dev", "test"))).gap_splits == ("train", "dev")
    assert conclude(*make_run(values, splits=("train", "dev", "valid", "test"))).gap_splits == ("train", "valid")
    without = conclude(*make_run(values, splits=("train", "test")))
    assert without.gap_splits is None
    assert row(without, "full").gap is None


@pytest.mark.parametrize(
    ("best_epochs", "select", "is_told"),
    [((20, 20), "valid/loss", True), ((20, 19), "valid/loss", False), ((20, 20), "none", False)],
)
def test_still_improving(make_run: Any, best_epochs: tuple[int, int], select: str, is_told: bool) -> None:
    run = make_run({"full": (0.9, 0.8)}, best_epochs={"full": best_epochs}, select=select)

    assert bool(sentences(conclude(*run), "still-improving")) == is_told


def test_a_baseline_no_better_than_trivial_is_said_so(make_run: Any) -> None:
    (sentence,) = sentences(conclude(*make_run({"full": (0.1, 0.11, 0.09)})), "trivial")

    assert "is not shown to beat the trivial predictor" in sentence


def test_equal_differences_in_every_seed_have_no_test(make_run: Any) -> None:
    """Nor a star: no spread was seen by which they could be judged."""
    conclusion = conclude(*make_run({"full": (0.5, 0.5, 0.5), "-a": (0.4, 0.4, 0.4), "-b": (0.3, 0.31, 0.32)}))

    equal = difference(conclusion, "-a")
    assert (equal.interval, equal.p_value, equal.p_value_holm, equal.verdict) == (None, None, None, "untested")
    assert (conclusion.num_comparisons, stars(equal, is_corrected=True)) == (2, "")
    assert conclusion.variants[0].value == Estimate(mean=0.5, interval=None, num_seeds=3)
    assert sentences(conclusion, "no-spread") == [
        "The same difference to full in every seed, up to float32's rounding, so without a spread to judge it by: "
        "-a (-0.100)."
    ]
    assert "(the same value in all 3 seeds, no interval)" in sentences(conclusion, "trivial")[0]


def test_what_survives_is_not_the_best(make_run: Any) -> None:
    values = {"full": (0.5, 0.52, 0.48, 0.51), "-a": (0.9, "failed", 0.92, 0.91), "-b": (0.6, 0.61, None, 0.62)}
    conclusion = conclude(*make_run(values))

    assert best_rows(conclusion) == set()
    assert (difference(conclusion, "-a").verdict, difference(conclusion, "-b").verdict) == ("survivors", "better")
    assert stars(difference(conclusion, "-a"), is_corrected=True) == ""
    (sentence,) = sentences(conclusion, "survivors")
    assert "1 of 4 seeds of -a failed" in sentence
    assert conclusion.variants[1].notes == ("1 of 4 seeds failed, so the mean is that of the survivors",)
    complete = conclude(*make_run({**values, "-c": (0.55, 0.56, 0.54, 0.53)}))
    assert best_rows(complete) == {3}


def test_a_baseline_of_survivors_makes_nothing_worse(make_run: Any) -> None:
    values = {"full": (0.9, "failed", 0.92, 0.91), "-a": (0.5, 0.52, 0.48, 0.51), "-b": (0.95, 0.99, 0.97, 0.98)}
    conclusion = conclude(*make_run(values))

    assert difference(conclusion, "-a").verdict == "survivors"
    assert difference(conclusion, "-b").verdict == "better"
    assert "1 of 4 seeds of full failed" in sentences(conclusion, "survivors")[0]


@pytest.mark.parametrize(
    ("select", "stop", "split", "is_told"),
    [
        ("valid/accuracy", None, "valid", "valid/accuracy (evaluation.select)"),
        ("valid/loss", None, "valid", "valid/loss (evaluation.select)"),
        (None, "valid/loss", "valid", "valid/loss (training.early_stopping)"),
        ("valid/loss", None, "test", None),
        ("train/loss", None, "valid", None),
        (None, None, "valid", None),
    ],
)
def test_an_epoch_that_the_headlines_samples_chose(
    make_run: Any, select: str | None, stop: str | None, split: str, is_told: str | None
) -> None:
    plan, results, failures = make_run({"full": (0.9, 0.8), "-a": (0.8, 0.7)})
    settings = {
        "training": {"epochs": 20, "early_stopping": "none" if stop is None else {"metric": stop}},
        "evaluation": {"select": "none" if select is None else {"metric": select, "mode": "min"}},
    }
    trials = tuple(t.model_copy(update={"config": t.config | settings}) for t in plan.trials)
    headline = plan.headline.model_copy(update={"split": split})
    conclusion = conclude(plan.model_copy(update={"trials": trials, "headline": headline}), results, failures)

    said = sentences(conclusion, "selection")
    assert [f"The epochs were chosen by {is_told}, on the same samples" in text for text in said] == (
        [True] if is_told else []
    )


def test_metrics_that_were_not_finite_are_told_by_name(make_run: Any) -> None:
    plan, results, failures = make_run(
        {"full": (0.9, 0.8), "-a": (0.8, 0.7)}, select={"metric": "valid/p", "mode": "max"}
    )
    counts = [{"valid/p": 20}, {"valid/p": 3, "test/p": 1}, {}, {}]
    results = {
        trial: result.model_copy(update={"not_finite": count})
        for (trial, result), count in zip(results.items(), counts, strict=True)
    }

    assert sentences(conclude(plan, results, failures), "not-finite") == [
        "valid/p was not a finite number in 23 epochs of 2 trials; such an epoch counts as no improvement.",
        "test/p was not a finite number in 1 epoch of 1 trial.",
        "valid/p, which evaluation.select names, was finite in no epoch of full (seed 0): their last epoch stands for "
        "the best.",
    ]


def test_intervals_of_shares_stay_within_0_and_1(make_run: Any) -> None:
    plan, results, failures = make_run({"full": (0.99, 0.9, 1.0), "-a": (0.0, 1.0, 0.95), "-b": (0.5, 0.52, 0.51)})
    shares = {trial: result.model_copy(update={"shares": ("balanced_accuracy",)}) for trial, result in results.items()}
    conclusion = conclude(plan, shares, failures)

    forms = [row.value.form for row in conclusion.variants if row.value]
    assert forms == ["logit", "logit", "student-t"]
    for row in conclusion.variants:
        assert row.value is not None
        assert row.value.interval is not None
        assert 0 < row.value.interval.low < row.value.mean < row.value.interval.high < 1
    interval = difference(conclusion, "-a").interval
    assert interval is not None
    assert (interval.low, interval.high) == (-1.0, pytest.approx(1.0))
    plain = conclude(plan, results, failures)
    assert [row.value.form for row in plain.variants if row.value] == ["student-t"] * 3
    text = render_text(conclusion, 80)
    assert "it is Student-t's of the logit" in " ".join(text.split())
    assert re.search(r"full +3/3 +0\.963 \[0\.\d+, 0\.9\d+\]", text)


values_of_three = st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).map(tuple)
tables = st.fixed_dictionaries({"full": values_of_three, "-a": values_of_three, "-b": values_of_three})


@given(values=tables, order=st.permutations(["full", "-a", "-b"]))
def test_the_order_of_variants_changes_no_row(
    make_run: Any, values: dict[str, tuple[float, ...]], order: list[str]
) -> None:
    straight = conclude(*make_run(values, baseline="full"))
    shuffled = conclude(*make_run({name: values[name] for name in order}, baseline="full"))

    assert [row.name for row in shuffled.variants] == order
    assert {row.name: row for row in straight.variants} == {row.name: row for row in shuffled.variants}


@given(values=tables, shift=st.sampled_from([-0.5, 0.25, 1.0, 8.0]))
def test_shifting_every_value_leaves_the_differences(
    make_run: Any, values: dict[str, tuple[float, ...]], shift: float
) -> None:
    shifted = {name: tuple(value + shift for value in of_seeds) for name, of_seeds in values.items()}

    before = conclude(*make_run(values, baseline="full"))
    after = conclude(*make_run(shifted, baseline="full"))

    for name in ("-a", "-b"):
        assert difference(after, name).mean == pytest.approx(difference(before, name).mean, abs=1e-9)


@given(values=tables)
def test_the_conclusion_survives_json(make_run: Any, values: dict[str, tuple[float, ...]]) -> None:
    conclusion = conclude(*make_run(values))

    assert Conclusion.model_validate_json(conclusion.model_dump_json()) == conclusion


def test_results_that_do_not_say_which_metrics_are_shares_are_read_and_have_students_interval(make_run: Any) -> None:
    plan, results, failures = make_run({"full": (0.99, 0.9, 1.0)})
    shares = {trial: result.model_copy(update={"shares": ("balanced_accuracy",)}) for trial, result in results.items()}
    first, *_ = shares
    older = json.loads(shares[first].model_dump_json())
    del older["shares"]
    of_now, of_both = (
        conclude(plan, shares, failures),
        conclude(plan, shares | {first: Result.model_validate(older)}, failures),
    )
    values = [row(conclusion, "full").value for conclusion in (of_now, of_both)]
    assert [value.form for value in values if value] == ["logit", "student-t"]
    assert [value.mean for value in values if value] == [pytest.approx(0.9633, abs=1e-4)] * 2
