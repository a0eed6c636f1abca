"""Finds what changed between the conclusions of two runs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from craftc.report.compare import difference_by_place, measured_data
from craftc.report.correction import holm
from craftc.report.read_search import SearchResults
from craftc.schemas.comparison import ConclusionChange, RowChange, SearchChange
from craftc.schemas.conclusion import Conclusion, Finding, SearchConclusion, VariantSummary
from craftc.schemas.plan import Plan, VariantTrials, variant_trials

TrialIds = tuple[str, ...]
_NUMBER = re.compile(r"[=<]?[-+]?\d[\d.]*(e[-+]?\d+)?")


@dataclass(frozen=True)
class ConcludedRun:
    """A run as it was read, and what it showed."""

    plan: Plan
    conclusion: Conclusion
    search: SearchResults | None = None


def diff_conclusions(a: ConcludedRun, b: ConcludedRun, renamed: Mapping[str, str]) -> ConclusionChange:
    """Compare the variants that both have, by name. `renamed`: names in B to those in A, of the renamed ones.

    A mean is set beside another only where both are of one metric: the same split, name and definition.
    """
    one, other = a.conclusion, b.conclusion
    baseline = renamed.get(other.baseline, other.baseline)
    of_a = {row.name: row for row in one.variants}
    pairs = [(of_a.get(renamed.get(row.name, row.name)), row) for row in other.variants]
    common = [(before, row) for before, row in pairs if before is not None]
    trials = variant_trials(a.plan), variant_trials(b.plan)
    rows, num_comparisons = _with_holm(
        [_row(before, row, a, b, trials) for before, row in common],
        [tuple(seed.trial for side in pair for seed in side.seeds) for pair in common],
    )
    old = {_sense(finding, {}) for finding in one.findings}
    new = {_sense(finding, renamed) for finding in other.findings}
    return ConclusionChange(
        metric_a=one.metric,
        metric_b=other.metric,
        mode=one.mode if one.mode == other.mode else None,
        comparable=_is_one_headline(one, other),
        baseline_a=one.baseline,
        baseline_b=other.baseline,
        baseline_is_renamed=one.baseline != other.baseline and baseline == one.baseline,
        num_comparisons=num_comparisons,
        rows=tuple(rows),
        searches=tuple(_searches(a, b, renamed)),
        only_a=tuple(finding for finding in one.findings if _sense(finding, {}) not in new),
        only_b=tuple(finding for finding in other.findings if _sense(finding, renamed) not in old),
    )


def _is_one_headline(a: Conclusion, b: Conclusion) -> bool:
    names = [(side.metric.split, side.metric.name, side.mode) for side in (a, b)]
    definitions = {side.metric.averaging for side in (a, b)} - {None}
    return names[0] == names[1] and len(definitions) < 2


def _row(
    one: VariantSummary,
    other: VariantSummary,
    a: ConcludedRun,
    b: ConcludedRun,
    trials: tuple[VariantTrials, VariantTrials],
) -> RowChange:
    row = RowChange(
        name=other.name,
        name_a=one.name if one.name != other.name else None,
        comparable=True,
        verdict_a=one.difference.decision if one.difference else None,
        verdict_b=other.difference.decision if other.difference else None,
    )
    reason = _incomparable(one, other, a.conclusion.mode == b.conclusion.mode)
    if reason is not None:
        return row.model_copy(update={"comparable": False, "notes": (reason,)})
    values_a, values_b = ({(s.fold, s.seed): s for s in side.seeds} for side in (one, other))
    shared = values_a.keys() & values_b.keys()
    retrained = [place for place in values_a if place in shared and values_a[place].trial != values_b[place].trial]
    measured_a, measured_b = (
        {place: value for place in retrained if (value := side[place].value) is not None}
        for side in (values_a, values_b)
    )
    return row.model_copy(
        update={
            "a": one.value,
            "b": other.value,
            "same_trials": bool(shared) and not retrained,
            "difference": difference_by_place(
                measured_b, measured_a, b.conclusion.mode, are_shares=one.is_share and other.is_share
            ),
            "notes": _notes(one, other, trials, has_common_seeds=bool(shared)),
        }
    )


def _incomparable(a: VariantSummary, b: VariantSummary, same_direction: bool) -> str | None:
    """Why the two do not measure the same thing, or None."""
    names = [f"{side.metric.split}/{side.metric.name}" for side in (a, b)]
    if names[0] != names[1]:
        return f"A measures {names[0]}, B {names[1]}"
    if not same_direction:
        return f"the better direction of {names[0]} is not the same"
    definitions = [{s.averaging for s in side.seeds if s.value is not None} for side in (a, b)]
    if not all(definitions) or (definitions[0] == definitions[1] and len(definitions[0]) == 1):
        return None
    told = ["; ".join(sorted(map(str, found))) for found in definitions]
    return f"{names[0]} is another metric: in A {told[0]}, in B {told[1]}"


def _notes(
    a: VariantSummary, b: VariantSummary, trials: tuple[VariantTrials, VariantTrials], *, has_common_seeds: bool
) -> tuple[str, ...]:
    notes = [] if has_common_seeds else ["no seed in common"]
    configs = [measured_data(side[name][0]) for side, name in zip(trials, (a.name, b.name), strict=True)]
    changed = [f"data.{key}" for key in ("source", "splits", "tokenizer") if configs[0].get(key) != configs[1].get(key)]
    if changed:
        notes.append(f"measured on other samples: {' and '.join(changed)} differ{'s' if len(changed) == 1 else ''}")
    return tuple(notes)


def _with_holm(rows: Sequence[RowChange], trials: Sequence[TrialIds]) -> tuple[list[RowChange], int]:
    """Adjust the p-values for all the comparisons of the two runs, and count those; `trials` are the rows' own.

    Rows of the same trials have one difference between them.
    """
    tested = {
        ids: row.difference.p_value
        for row, ids in zip(rows, trials, strict=True)
        if row.difference is not None and row.difference.num_pairs > 1
    }
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    out = []
    for row, ids in zip(rows, trials, strict=True):
        if row.difference is not None:
            p_value = adjusted.get(ids)
            difference = row.difference.model_copy(update={"p_value_holm": p_value, "p_value_adjusted": p_value})
            row = row.model_copy(update={"difference": difference})
        out.append(row)
    return out, len(tested)


def _searches(a: ConcludedRun, b: ConcludedRun, renamed: Mapping[str, str]) -> list[SearchChange]:
    of_a = {search.variant: search for search in a.conclusion.searches}
    changes = []
    for search in b.conclusion.searches:
        before = of_a.get(renamed.get(search.variant, search.variant))
        if before is None:
            continue
        is_one = (before.metric, before.mode) == (search.metric, search.mode) and _definitions(a) == _definitions(b)
        changes.append(
            SearchChange(
                variant=search.variant,
                comparable=is_one,
                metric_a=before.metric,
                metric_b=search.metric,
                best_a=_best(before),
                best_b=_best(search),
                value_a=before.best.value if is_one and before.best else None,
                value_b=search.best.value if is_one and search.best else None,
            )
        )
    return changes


def _best(search: SearchConclusion) -> dict[str, object] | None:
    return None if search.best is None else search.best.params


def _definitions(run: ConcludedRun) -> set[str | None]:
    """How the trials of a search define the metric that it optimizes."""
    if run.search is None:
        return set()
    metric = run.search.summary.metric.partition("/")[2]
    return {result.identities.get(metric) for result in run.search.results.values()}


def _sense(finding: Finding, renamed: Mapping[str, str]) -> tuple[str, tuple[str, ...], str]:
    """What a finding says apart from its numbers, and by which names."""
    text = finding.text
    for name in sorted(finding.variants, key=len, reverse=True):
        text = text.replace(name, "").replace(name[1:] if name[0] in "+-" else name, "")
    names = tuple(renamed.get(name, name) for name in finding.variants)
    return finding.kind, names, _NUMBER.sub("", text)
