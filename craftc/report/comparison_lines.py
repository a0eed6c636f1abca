"""Writes a Comparison as lines. The first character of a line says what it is: + - ~ for what differs."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from craftc.report.wording import listed
from craftc.schemas.comparison import (
    ConclusionChange,
    FieldChange,
    RowChange,
    SearchChange,
    Side,
    TrialChanges,
    VariantChange,
)
from craftc.schemas.conclusion import MetricIdentity

LONGEST_VALUE = 100


def count(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def side_line(side: Side) -> str:
    """`spec first.yaml: first, 12 trials, 3 of them finished`."""
    finished = "all finished" if side.num_finished == side.num_trials else f"{side.num_finished} of them finished"
    name = "" if side.kind == "run" else f"{side.name}, "
    return f"{side.kind} {printable(side.label)}: {name}{count(side.num_trials, 'trial')}, {finished}"


def field_line(change: FieldChange) -> str:
    """`~ training.epochs: 20 -> 10`."""
    path = printable(change.path)
    match change.kind:
        case "added":
            return f"+ {path}: {_value(change.b)}"
        case "removed":
            return f"- {path}: {_value(change.a)}"
        case _:
            return f"~ {path}: {_value(change.a)} -> {_value(change.b)}"


def variant_lines(trials: TrialChanges, everything: bool) -> Iterator[str]:
    """What changed first. Changed variants that differ in the same fields share a line, unless everything is asked."""
    by_status: dict[str, list[VariantChange]] = defaultdict(list)
    for change in trials.variants:
        by_status[change.status].append(change)
    groups: dict[str, list[VariantChange]] = defaultdict(list)
    for change in by_status["changed"]:
        key = change.name if everything else json.dumps([f.model_dump(mode="json") for f in change.fields])
        groups[key].append(change)
    for group in groups.values():
        names = [change.name for change in group]
        yield f"~ {names[0] if len(names) == 1 else listed(names)}: {_why_changed(group[0])}"
    for change in by_status["renamed"]:
        yield f"> {change.other_name} is now called {change.name}"
    for change in by_status["reseeded"]:
        yield f"~ {change.name}: {_seeds(change)}"
    for sign, status, side in (("+", "new", "A"), ("-", "gone", "B")):
        for change in by_status[status]:
            seeds = _seed_list(change.trials_b if status == "new" else change.trials_a)
            known = f"; {side} has these trials as {change.other_name}" if change.other_name else ""
            yield f"{sign} {change.name}: {status}, {seeds}{known}"
    if by_status["same"]:
        yield f"the same: {listed([change.name for change in by_status['same']])}"


def _why_changed(change: VariantChange) -> str:
    if not change.fields:
        return "no field differs; the content of its data, the code of its components or craftc's training does"
    return ", ".join(field_line(field)[2:] for field in change.fields)


def _seeds(change: VariantChange) -> str:
    parts = []
    for only, other, side in ((change.trials_a, change.trials_b, "A"), (change.trials_b, change.trials_a, "B")):
        if seeds := sorted(only.keys() - other.keys()):
            parts.append(f"{_seed_list(seeds)} only in {side}")
    return "; ".join(parts)


def _seed_list(seeds: Iterable[int]) -> str:
    listed_seeds = [str(seed) for seed in seeds]
    return f"{'seed' if len(listed_seeds) == 1 else 'seeds'} {', '.join(listed_seeds)}"


def conclusion_lines(change: ConclusionChange) -> Iterator[str]:
    """What is said above and beneath the table of variants."""
    yield from _headline(change)
    if change.baseline_a != change.baseline_b:
        renamed = ", the same trials" if change.baseline_is_renamed else ""
        yield f"~ baseline: {change.baseline_a} -> {change.baseline_b}{renamed}"
    for note, names in _notes(change.rows).items():
        yield f"{listed(names)}: {note}"
    for search in change.searches:
        yield from _search(search)
    if not change.rows:
        yield "the two have no variant in common"


def legend_lines(change: ConclusionChange) -> Iterator[str]:
    """How to read the table; only what it has."""
    differences = [row.difference for row in change.rows if row.difference]
    yield "The verdicts are those of each run against its own baseline."
    if differences:
        yield "B - A is taken seed by seed, over the seeds that both have."
    if any(difference.verdict in ("better", "worse") for difference in differences):
        holm = f"; ** also after Holm's correction for {change.num_comparisons} comparisons"
        yield f"* the interval excludes zero{holm if change.num_comparisons > 1 else ''}."


def _headline(change: ConclusionChange) -> Iterator[str]:
    if change.comparable:
        better = "" if change.mode is None else f", {'lower' if change.mode == 'min' else 'higher'} is better"
        yield f"{_metric(change.metric_b if change.metric_b.averaging else change.metric_a)}{better}"
    else:
        yield f"~ not comparable: A measures {_metric(change.metric_a)}, B {_metric(change.metric_b)}"


def _metric(metric: MetricIdentity) -> str:
    return f"{metric.split}/{metric.name}{f' ({metric.averaging})' if metric.averaging else ''}"


def _notes(rows: Sequence[RowChange]) -> dict[str, list[str]]:
    by_note: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            by_note.setdefault(note, []).append(row.name)
    return by_note


def _search(search: SearchChange) -> Iterator[str]:
    if not search.comparable:
        yield f"~ search of {search.variant}: not comparable, {search.metric_a} -> {search.metric_b}"
        return
    if (search.best_a, search.value_a) != (search.best_b, search.value_b):
        points = [
            "none" if point is None else f"{_value(point)} with {value:.6g}" if value is not None else _value(point)
            for point, value in ((search.best_a, search.value_a), (search.best_b, search.value_b))
        ]
        yield f"~ search of {search.variant}, best {search.metric_b}: {points[0]} -> {points[1]}"


def _value(value: Any) -> str:
    """As compact JSON, a component as `adamw(lr=0.001)`; cut where it is very long."""
    if isinstance(value, dict) and isinstance(value.get("kind"), str):
        arguments = ", ".join(f"{name}={_json(given)}" for name, given in value.items() if name != "kind")
        text = f"{value['kind']}({arguments})" if arguments else value["kind"]
    else:
        text = "none" if value is None else _json(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 4]} ..."


def _json(value: Any) -> str:
    """Control characters stay visible, and unread by a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def printable(text: str) -> str:
    """Nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)
