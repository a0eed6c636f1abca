"""A search's ranges in; what of them does not fit the fields that they set out."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from craftc.compiler.blame import blame
from craftc.compiler.checks import Checked
from craftc.compiler.expand import resolve_variant
from craftc.compiler.problem import MAX_TOLD, Problem
from craftc.compiler.search_checks import SPACE, ranges
from craftc.compiler.tree import touch
from craftc.compiler.variant import Setting, Variant
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import ParameterRange

MAX_PROBES = 2_000
"""Each is a spec of its own that is checked, which takes a third of a millisecond."""
_FIELD_CODES = {
    "unknown-key", "unknown-factor", "unknown-kind", "unknown-component", "unfit-component", "unknown-choice",
    "missing-key", "wrong-type", "wrong-name", "out-of-bounds", "empty-value",
}  # fmt: skip
"""Mistakes of one value by itself, whatever stands elsewhere."""


def probe(base: Checked, variants: Iterable[Variant], known: Iterable[Problem]) -> list[Problem]:
    """Set each path to both ends of its range, or to each choice, in every searched variant.

    A mistake of the value itself is told wherever it is made. One that stands between fields (a width that the heads do
    not divide) is told where every end makes it and no other searched path could mend it; otherwise such points are
    refused as they are proposed. Each is told once, at the value in `search.space`.
    """
    points = sum(len(values) for _, given in ranges(base) for values in given.forms.values())
    variants, known = list(variants), list(known)
    if points * len(variants) > MAX_PROBES:
        message = (
            f"{points:,} ends and choices for each of {len(variants):,} variants; at most {MAX_PROBES:,} can be checked"
        )
        return [Problem("too-many-trials", SPACE, message, "search fewer paths, or give fewer choices", at_key=True)]
    before = {(problem.code, problem.path, problem.message) for problem in known}
    told: dict[tuple[str, Path, str], Problem] = {}
    # An end that breaks a rule of ranges is not told of a second time.
    mistaken = {problem.path[: len(SPACE) + 1] for problem in known if problem.severity == "error"}
    searched = [parse_path(path) for path, _ in ranges(base)]
    for variant in variants:
        for path, given in ranges(base):
            if len(given.forms) != 1 or (*SPACE, path) in mistaken:
                continue
            others = [target for target in searched if target != parse_path(path)]
            if len(told) > MAX_TOLD:
                return list(told.values())
            for problem in _probe_range(base, variant, path, given, others, before):
                told.setdefault((problem.code, problem.path, problem.message), problem)
    return list(told.values())


def _probe_range(
    base: Checked, variant: Variant, path: str, given: ParameterRange, others: list[Path], before: set[tuple[Any, ...]]
) -> Iterator[Problem]:
    ((form, values),) = given.forms.items()
    joint: list[list[Problem]] = []
    for index, value in enumerate(values):
        setting = Setting(path, _plain(value), (*SPACE, path, form, index))
        _, found = resolve_variant(base, Variant(variant.name, (*variant.settings, setting)))
        errors = [p for p in found if p.severity == "error" and (p.code, p.path, p.message) not in before]
        placed = [(p, _place(p, setting, variant, base, form)) for p in errors]
        yield from (there for problem, there in placed if problem.code in _FIELD_CODES)
        joint.append([there for p, there in placed if p.code not in _FIELD_CODES and not _is_mendable(p, others)])
    if all(joint):
        shared = set.intersection(*({problem.code for problem in problems} for problems in joint))
        yield from (problem for problem in joint[0] if problem.code in shared)


def _is_mendable(problem: Problem, others: list[Path]) -> bool:
    return any(touch(place, other) for place in (problem.path, *problem.reads) for other in others)


def _place(problem: Problem, setting: Setting, variant: Variant, base: Checked, form: str) -> Problem:
    placed = blame(problem, Variant(variant.name, (setting,)), base.tree)
    if placed.code == "unknown-factor":
        return replace(placed, path=(*SPACE, setting.path))
    if placed.code == "wrong-type" and isinstance(setting.value, float) and "a whole number" in placed.message:
        return replace(placed, hint="use log_int" if form == "log_uniform" else "use int")
    return placed


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
