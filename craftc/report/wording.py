"""Writes the lines around a conclusion's table, the same in every format."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from craftc.compiler.reading.problem import classes_of
from craftc.compiler.variants.variant_names import short_names
from craftc.report.correction import CORRECTIONS
from craftc.report.search_cells import value_text
from craftc.schemas.conclusion import Conclusion, Failure, Finding, PointFailure

if TYPE_CHECKING:
    from craftc.report.cells import IntervalStyle

MOST_NAMES = 12
MOST_FINDINGS = 20


def title(conclusion: Conclusion) -> str:
    """What was measured: `test/balanced_accuracy (macro recall over 10 classes), higher is better`."""
    metric = conclusion.metric
    definition = f" ({metric.averaging})" if metric.averaging else ""
    return f"{metric.split}/{metric.name}{definition}, {'lower' if conclusion.mode == 'min' else 'higher'} is better"


def legend(conclusion: Conclusion, style: "IntervalStyle", *, with_gap: bool = True) -> list[str]:
    """How to read the table; only what the table has."""
    rows = conclusion.variants
    has_folds = any(seed.fold is not None for row in rows for seed in row.seeds)
    lines = []
    if any(row.value and row.value.interval for row in rows):
        form = "[95% Student-t interval]" if style == "brackets" else "± half their 95% Student-t interval"
        covers = "covers the choice of seeds, not that of test samples"
        if has_folds:
            covers = (
                "covers the choice of samples too, widened as folds share what they are trained on (Nadeau, Bengio)"
            )
        lines.append(f"Means over {'folds' if has_folds else 'seeds'} {form}, which {covers}.")
    if any(row.value and row.value.form == "logit" for row in rows):
        lines.append("Where a share's interval would reach beyond 0 or 1, it is Student-t's of the logit: [low, high].")
    if any(row.difference for row in rows):
        by = "fold by fold, each the mean over" if has_folds else "seed by seed, over"
        lines.append(f"Differences to {conclusion.baseline} are taken {by} the seeds that both have.")
    if any(row.difference and row.difference.verdict in ("better", "worse") for row in rows):
        lines.append(f"* the interval excludes zero{_corrected(conclusion)}.")
    if conclusion.looks:
        looks = f"{', '.join(map(str, conclusion.looks[:-1]))} and {conclusion.looks[-1]}"
        lines.append(
            f"Seeds were added until a variant was decided, with looks at {looks} seeds; its difference's interval and "
            "p hold for all of them (alpha spent as Pocock's boundary does)."
        )
    if conclusion.margin is not None and conclusion.num_comparisons:
        lines.append(_verdicts(conclusion))
    if any(row.value for row in rows):
        has_gap = with_gap and conclusion.gap_splits is not None and any(row.gap is not None for row in rows)
        at_best = f", as is the gap between {' and '.join(conclusion.gap_splits or ())}" if has_gap else ""
        lines.append(f"The mean is at the best {conclusion.record_name}{at_best}.")
    return lines


def _corrected(conclusion: Conclusion) -> str:
    num = conclusion.num_comparisons
    if num < 2:
        return ""
    if conclusion.correction == "none":
        return f", with no correction for {num} comparisons"
    return f"; ** also after {CORRECTIONS[conclusion.correction]} for {num} comparisons"


def _verdicts(conclusion: Conclusion) -> str:
    num = conclusion.num_comparisons
    corrected = f", with {CORRECTIONS[conclusion.correction]} for {num} comparisons" if num > 1 else ""
    return (
        f"The verdict is what the variant is against {conclusion.baseline}{corrected}; equal: shown to be within "
        f"±{conclusion.margin:g}; undecided is no evidence for that."
    )


def notes(conclusion: Conclusion) -> list[str]:
    """The order of classes, where their names are not their numbers; then each row's notes: variants with the same note
    share a line."""
    by_note: dict[str, list[str]] = {}
    for row in conclusion.variants:
        for note in row.notes:
            by_note.setdefault(note, []).append(row.name)
    lines = [f"{listed(names)}: {note}." for note, names in by_note.items()]
    is_plain = conclusion.classes == tuple(map(str, range(len(conclusion.classes))))
    return lines if is_plain else [f"Classes, from number 0: {classes_of(conclusion.classes)}.", *lines]


def told(findings: Sequence[Finding]) -> list[str]:
    """The findings' sentences; of very many differences only the largest."""
    differences = [finding for finding in findings if finding.kind == "difference"]
    silent = differences[MOST_FINDINGS:]
    lines = []
    for finding in findings:
        if finding not in silent:
            lines.append(finding.text)
        elif finding == silent[0]:
            lines.append(f"{len(silent)} smaller differences are marked in the table.")
    return lines


def failure_line(failure: Failure, record_name: str) -> str:
    """`-warmup, seed 1, epoch 3: the loss is not finite [nan-loss]`."""
    epoch = "" if failure.epoch is None else f", {record_name} {failure.epoch}"
    return f"{' = '.join(failure.variants)}, seed {failure.seed}{epoch}: {failure.message} [{failure.code}]"


MOST_SETTINGS = 5
"""Of points that have no value for one reason."""


def point_failure_lines(conclusion: Conclusion) -> list[str]:
    """Why points of the searches have no value, and at which values; those of one reason in one line."""
    lines = []
    for search in conclusion.searches:
        name = f"{search.variant}: " if len(conclusion.searches) > 1 else ""
        by_reason: dict[tuple[str, str], list[PointFailure]] = {}
        for failure in search.failures:
            by_reason.setdefault((failure.state, failure.reason), []).append(failure)
        for (state, reason), failures in by_reason.items():
            numbers = listed([str(failure.number) for failure in failures])
            points = f"point {numbers}" if len(failures) == 1 else f"points {numbers}"
            ended = "failed" if state == "failed" else "refused before training"
            lines.append(f"{name}{points} {ended}: {reason}{_at(failures)}")
    return lines


def _at(failures: Sequence[PointFailure]) -> str:
    """The values of points, each setting once: `; at width=16 and width=32`."""
    names = short_names({path for failure in failures for path in failure.params})
    settings = [
        ", ".join(f"{names[path]}={value_text(value)}" for path, value in failure.params.items())
        for failure in failures
    ]
    different = [setting for setting in dict.fromkeys(settings) if setting]
    shown = different[:MOST_SETTINGS]
    more = [f"{len(different) - len(shown)} more"] if len(different) > len(shown) else []
    return f"; at {' and '.join([*shown, *more])}" if different else ""


def listed(names: Sequence[str]) -> str:
    """Names in a row; of very many the first."""
    if len(names) <= MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def one_line(message: str) -> str:
    """A message may come from any library: no line breaks, nothing that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in message).split())
