"""A search's ranges in; what of them does not fit the fields that they set out."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from craftc.compiler.checking.rules.all_rules import variant_rules
from craftc.compiler.checking.rules.headline import headline_rules
from craftc.compiler.checking.rules.rule import AnyRule, CheckedExperiment
from craftc.compiler.checking.rules.search import SPACE, ranges
from craftc.compiler.checking.validate import Validated
from craftc.compiler.reading.problem import MAX_TOLD, Problem
from craftc.compiler.reading.tree import touch
from craftc.compiler.variants.ablation_size import MAX_VALUES, num_values
from craftc.compiler.variants.blame import blame, follows, lacking, told_at
from craftc.compiler.variants.listed_twice import without_repeat
from craftc.compiler.variants.resolve_variant import resolve_variant, without_ablation
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import ParameterRange

MAX_PROBES = 2_000
"""Each is a spec of its own that is checked, which takes a third of a millisecond."""
_FIELD_CODES = {
    "unknown-key", "unknown-factor", "unknown-kind", "unknown-component", "unfit-component", "unknown-choice",
    "missing-key", "wrong-type", "wrong-name", "out-of-bounds", "empty-value",
}  # fmt: skip
"""Mistakes of one value by itself, whatever stands elsewhere."""


@dataclass(frozen=True)
class _Range:
    """A range that is looked at, and each of its ends or choices as a setting. `form` is None of a mistaken one, of
    which the path alone is looked at."""

    form: str | None
    settings: tuple[Setting, ...]

    @property
    def target(self) -> Path:
        """The place that it is for."""
        return self.settings[0].target


def check_ranges(
    base: CheckedExperiment, validated: Validated, variants: Iterable[Variant], known: Iterable[Problem]
) -> list[Problem]:
    """Set each path to both ends of its range, or to each choice, in every searched variant.

    A mistake of the value itself is told wherever it is made. One that stands between fields (a width that the heads do
    not divide) is told where every end makes it and no other searched path could mend it; otherwise such points are
    refused as they are proposed. Each is told once, at the value in `search.space`. `validated` is what `base` was
    made of.
    """
    num_points = sum(len(values) for _, given in ranges(base) for values in given.forms.values())
    variants, known = list(variants), list(known)
    most = min(MAX_PROBES, MAX_VALUES // num_values(base))
    if num_points * len(variants) > most:
        return [_too_many(num_points, len(variants), most)]
    told: dict[tuple[str, Path, str], Problem] = {}
    # An end that breaks a rule of ranges is not told of a second time.
    mistaken = {problem.path[: len(SPACE) + 1] for problem in known if problem.severity == "error"}
    # What is no range is told by another rule.
    fit = [(path, given) for path, given in ranges(base) if (*SPACE, path) not in mistaken and len(given.forms) == 1]
    looked_at = [_range(path, given) for path, given in fit]
    looked_at += [_no_range(path) for path in _written_paths(base) if path not in dict(fit)]
    searched = [parse_path(path) for path, _ in ranges(base)]
    rules = variant_rules(base) + headline_rules(base, validated.tainted)
    errors = _Errors(without_ablation(base), rules, validated.tainted, known)
    num_probes = 0
    for variant in variants:
        for found in looked_at:
            num_probes += len(found.settings)
            if len(told) > MAX_TOLD or num_probes > most:  # paths without a range are not among the points
                return list(told.values())
            others = [target for target in searched if target != found.target]
            for problem in _probe_range(base, variant, found, others, errors):
                told.setdefault(
                    (problem.code, told_at(problem), problem.message), without_repeat(problem, base.written)
                )
    return list(told.values())


def _too_many(points: int, variants: int, most: int) -> Problem:
    message = f"{points:,} ends and choices for each of {variants:,} variants; at most {most:,} can be checked"
    return Problem("too-many-trials", SPACE, message, "search fewer paths, or give fewer choices", at_key=True)


def _range(path: str, given: ParameterRange) -> _Range:
    ((form, values),) = given.forms.items()
    settings = (Setting(path, _plain(value), (*SPACE, path, form, index)) for index, value in enumerate(values))
    return _Range(form, tuple(settings))


def _no_range(path: str) -> _Range:
    # Whether there is such a path shows whatever the value.
    return _Range(None, (Setting(path, 0, (*SPACE, path)),))


def _written_paths(base: CheckedExperiment) -> list[str]:
    """Those of the search, whatever they are given."""
    search = base.written.get("search")
    space = search.get("space") if isinstance(search, dict) else None
    return [path for path in space if isinstance(path, str)] if isinstance(space, dict) else []


class _Errors:
    """What is wrong with a point that is not wrong with the spec as written."""

    def __init__(
        self, base: CheckedExperiment, rules: tuple[AnyRule, ...], tainted: Set[Path], known: Sequence[Problem]
    ) -> None:
        self._base, self._rules, self._tainted = base, rules, tainted
        self._before = {(problem.code, problem.path, problem.message) for problem in known}
        self._lacking = lacking(known)

    def __call__(self, variant: Variant, setting: Setting) -> list[Problem]:
        point = Variant(variant.name, (*variant.settings, setting))
        _, found = resolve_variant(self._base, point, self._rules, self._tainted)
        new = [p for p in found if p.severity == "error" and (p.code, p.path, p.message) not in self._before]
        alone = Variant(variant.name, (setting,))
        return [p for p in new if not follows(p, alone, self._base.tree, self._lacking)]


def _probe_range(
    base: CheckedExperiment,
    variant: Variant,
    looked_at: _Range,
    others: list[Path],
    errors: _Errors,
) -> Iterator[Problem]:
    joint: list[list[Problem]] = []
    for setting in looked_at.settings:
        placed = [(p, _place(p, setting, variant, base, looked_at.form)) for p in errors(variant, setting)]
        if looked_at.form is None:
            yield from (there for _, there in placed if there.code == "unknown-factor")
            return
        yield from (there for problem, there in placed if problem.code in _FIELD_CODES)
        joint.append([there for p, there in placed if p.code not in _FIELD_CODES and not _is_mendable(p, others)])
    if all(joint):
        shared = set.intersection(*({problem.code for problem in problems} for problems in joint))
        yield from (problem for problem in joint[0] if problem.code in shared)


def _is_mendable(problem: Problem, others: list[Path]) -> bool:
    return any(touch(place, other) for place in (problem.path, *problem.reads) for other in others)


def _place(problem: Problem, setting: Setting, variant: Variant, base: CheckedExperiment, form: str | None) -> Problem:
    placed = blame(problem, Variant(variant.name, (setting,)), base.tree)
    if placed.code == "unknown-factor":
        path = (*SPACE, setting.path)
        return replace(placed, path=path, fix=placed.fix and placed.fix._replace(path=path))
    takes_whole = (
        placed.code == "wrong-type" and isinstance(setting.value, float) and "a whole number" in placed.message
    )
    if form != "choice" and placed.code == "wrong-type" and not takes_whole and placed.fix is not None:
        return replace(placed, hint=f"a range of {form} has numbers; give the values in choice", fix=None)
    if form != "choice" and takes_whole:
        return replace(placed, hint="use log_int" if form == "log_uniform" else "use int", fix=None)
    return placed


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
