"""Writes the findings of a conclusion, one sentence each."""

from collections.abc import Sequence

from craftc.report.correction import CORRECTIONS
from craftc.report.decide import comparisons
from craftc.report.numbers import bracketed, choose_decimals, counted, fixed, p_value_text
from craftc.report.power import ALPHA
from craftc.report.search_findings import find_epochs, find_searches
from craftc.report.trivial import against_trivial
from craftc.report.verdict_wording import find_equal, find_features, find_seeds_needed
from craftc.report.wording import listed
from craftc.schemas.conclusion import Conclusion, Difference, Finding, FindingKind, Interval, VariantSummary


def find(conclusion: Conclusion, ran_out_of_epochs: Sequence[str]) -> list[Finding]:
    """What the rows say, most telling first. `ran_out_of_epochs`: variants whose last planned epoch was the best."""
    if all(row.num_finished == 0 for row in conclusion.variants):
        return [
            _finding("unfinished", "No trial has finished, so nothing can be concluded.", []),
            *_unfinished(conclusion),
        ]
    decimals = choose_decimals(conclusion)
    return [
        *find_searches(conclusion, decimals),
        *_against_trivial(conclusion, decimals),
        *_clear_differences(conclusion, decimals),
        *find_equal(conclusion),
        *_no_differences(conclusion),
        *_no_spread(conclusion, decimals),
        *_survivors(conclusion, decimals),
        *_number_of_comparisons(conclusion),
        *find_features(conclusion),
        *find_seeds_needed(conclusion),
        *_not_compared(conclusion),
        *_ran_out(ran_out_of_epochs, conclusion.record_name),
        *_few_seeds(conclusion),
        *find_epochs(conclusion),
        *_unfinished(conclusion),
    ]


def phrase(variant: str) -> str:
    """A variant's name within a sentence: `-warmup` is "without warmup", `+warmup` (bare plus that) "with warmup
    alone", `num_layers=2` "with num_layers=2"."""
    if variant.startswith("-"):
        return f"without {variant[1:]}"
    if variant.startswith("+"):
        return f"with {variant[1:]} alone"
    return f"with {variant}" if "=" in variant else f"in {variant}"


def _finding(kind: FindingKind, text: str, variants: Sequence[str]) -> Finding:
    return Finding(kind=kind, text=text[0].upper() + text[1:], variants=tuple(variants))


def _against_trivial(conclusion: Conclusion, decimals: int) -> list[Finding]:
    row = next((row for row in conclusion.variants if row.is_baseline), None)
    if row is None or row.value is None or conclusion.trivial is None:
        return []
    who = f"the baseline ({row.name})"
    text = against_trivial(who, _metric(conclusion), row.value, conclusion.trivial.value, conclusion.mode, decimals)
    return [_finding("trivial", text, [row.name])]


def _clear_differences(conclusion: Conclusion, decimals: int) -> list[Finding]:
    """One sentence for each variant whose interval excludes zero, the largest difference first."""
    findings = []
    for row, difference in sorted(_clear(conclusion), key=lambda pair: -abs(pair[1].mean)):
        size = difference.interval
        assert size is not None
        verb = "rises"
        if difference.mean < 0:
            verb = "falls"
            size = Interval(low=-size.high, high=-size.low)
        remark = f"{len(difference.seeds)} paired seeds"
        if difference.folds:
            each = "" if len(difference.seeds) == 1 else f", each the mean of {len(difference.seeds)} seeds"
            remark = f"{len(difference.folds)} paired folds{each}"
        if row.num_finished < row.num_planned:
            remark += f" of {row.num_planned}"
        if conclusion.mode == "min":
            remark = f"{difference.verdict}: lower is better; {remark}"
        if row.other_samples:
            remark += f"; on other samples than {conclusion.baseline}, so that the data may account for it"
        text = (
            f"{phrase(row.name)}, {_metric(conclusion)} {verb} by {fixed(abs(difference.mean), decimals)} "
            f"{bracketed(size, decimals)} ({remark})."
        )
        findings.append(_finding("difference", text, [row.name]))
    return findings


def _no_differences(conclusion: Conclusion) -> list[Finding]:
    names = [
        row.name
        for row, difference in comparisons(conclusion.variants)
        if difference.verdict == "undecided" and difference.decision != "equal"
    ]
    if not names:
        return []
    return [_finding("no-difference", f"no difference to {conclusion.baseline} shown for {listed(names)}.", names)]


def _no_spread(conclusion: Conclusion, decimals: int) -> list[Finding]:
    """Differences that are the same in every seed, which nothing can be said of."""
    found = [
        (row.name, difference.mean)
        for row, difference in comparisons(conclusion.variants)
        if difference.verdict == "untested"
    ]
    if not found:
        return []
    sizes = listed([f"{name} ({fixed(mean, decimals, sign=True)})" for name, mean in found])
    text = (
        f"the same difference to {conclusion.baseline} in every seed, up to float32's rounding, so without a spread to "
        f"judge it by: {sizes}."
    )
    return [_finding("no-spread", text, [name for name, _ in found])]


def _survivors(conclusion: Conclusion, decimals: int) -> list[Finding]:
    """Differences whose interval excludes zero in favour of a side of which seeds failed."""
    findings = []
    for row, difference in comparisons(conclusion.variants):
        if difference.verdict == "survivors" and difference.interval is not None:
            size = (
                f"{fixed(difference.mean, decimals, sign=True)} {bracketed(difference.interval, decimals, sign=True)}"
            )
            is_row = (difference.mean > 0) == (conclusion.mode == "max")
            ahead = row if is_row else next(other for other in conclusion.variants if other.is_baseline)
            text = (
                f"nothing is claimed of {row.name}, whose difference is {size}: {ahead.num_failed} of "
                f"{counted(ahead.num_planned, 'seed')} of {ahead.name} failed, and the others are the better ones."
            )
            findings.append(_finding("survivors", text, [row.name]))
    return findings


def _number_of_comparisons(conclusion: Conclusion) -> list[Finding]:
    """Where differences are claimed among several comparisons: how many to expect by chance, and which of them stay."""
    claimed = _clear(conclusion)
    num = conclusion.num_comparisons
    if num < 2 or not claimed:
        return []
    stay = sorted(
        (difference.p_value_adjusted, row.name)
        for row, difference in claimed
        if difference.p_value_adjusted is not None and difference.p_value_adjusted < ALPHA
    )
    correction = CORRECTIONS[conclusion.correction]
    text = (
        f"the intervals are not corrected for the {num} comparisons: "
        f"were there no effect at all, {num * ALPHA:.2g} of them would be expected to exclude zero. "
    )
    if conclusion.correction == "none":
        text += "The verdicts are not corrected either (report.correction: none)."
    elif stay:
        text += f"After {correction} there remain {listed([f'{name} (p{_p(p)})' for p, name in stay])}."
    else:
        text += f"After {correction} none remains."
    return [_finding("comparisons", text, [name for _, name in stay])]


def _p(p_value: float) -> str:
    text = p_value_text(p_value)
    return text if text.startswith("<") else f"={text}"


def _not_compared(conclusion: Conclusion) -> list[Finding]:
    baseline = next((row for row in conclusion.variants if row.is_baseline), None)
    if baseline is None or baseline.value is None:
        text = (
            f"the baseline ({conclusion.baseline}) has no value of {_metric(conclusion)}, "
            "so nothing could be compared with it."
        )
        return [_finding("not-comparable", text, [conclusion.baseline])]
    names = [row.name for row in conclusion.variants if not row.comparable]
    if not names:
        return []
    text = (
        f"no difference is given for {listed(names)}: {_metric(conclusion)} is another metric there "
        f"than in {baseline.name}."
    )
    return [_finding("not-comparable", text, names)]


def _ran_out(names: Sequence[str], record_name: str) -> list[Finding]:
    if not names:
        return []
    when = "the epochs ran out (the last planned epoch" if record_name == "epoch" else "they ended (the last record"
    text = f"still improving when {when} was the best, in every seed): {listed(names)}."
    return [_finding("still-improving", text, names)]


def _few_seeds(conclusion: Conclusion) -> list[Finding]:
    """An honest word where fewer than three seeds stand behind an interval, or only one behind a value."""
    rows = [row for row in conclusion.variants if row.value is not None and row.same_as is None]
    alone = [row.name for row in rows if row.value and row.value.num_seeds == 1]
    two = [row.name for row in rows if row.value and row.value.num_seeds == 2]
    findings = []
    if alone:
        whom = "every variant" if len(alone) == len(rows) else listed(alone)
        text = f"only one seed for {whom}: no interval, and differences to it cannot be told from chance."
        findings.append(_finding("few-seeds", text, alone))
    if two:
        whom = "every variant" if len(two) == len(rows) else listed(two)
        text = f"only two seeds for {whom}: their intervals rest on one degree of freedom; run three or more."
        findings.append(_finding("few-seeds", text, two))
    return findings


def _unfinished(conclusion: Conclusion) -> list[Finding]:
    seeds = {seed.trial: seed for row in conclusion.variants for seed in row.seeds}.values()
    failed = sum(seed.status == "failed" for seed in seeds)
    unfinished = sum(seed.status == "unfinished" for seed in seeds)
    parts = [f"{num} {word}" for num, word in ((failed, "failed"), (unfinished, "did not finish")) if num]
    if not parts:
        return []
    names = [row.name for row in conclusion.variants if row.num_finished < row.num_planned]
    return [_finding("unfinished", f"of {counted(len(seeds), 'trial')}, {' and '.join(parts)}.", names)]


def _clear(conclusion: Conclusion) -> list[tuple[VariantSummary, Difference]]:
    """The comparisons whose interval excludes zero."""
    return [pair for pair in comparisons(conclusion.variants) if pair[1].verdict in ("better", "worse")]


def _metric(conclusion: Conclusion) -> str:
    return f"{conclusion.metric.split}/{conclusion.metric.name}"
