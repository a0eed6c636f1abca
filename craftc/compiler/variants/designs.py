"""An ablation's features, grid and zip to its variants by name, before `exclude` and `require`.

Order: the baseline; the designs of features as `design` lists them, and the sets; the points of the grid, those of the
zip. With `combine: product` every design is taken at every point instead. The baseline is always a variant, since every
other is compared with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod
from typing import Any

from craftc.compiler.language.removals import set_by_feature
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.problem import MAX_TOLD, Problem, show
from craftc.compiler.reading.tree import look_up
from craftc.compiler.variants.variant import Setting, Variant
from craftc.compiler.variants.variant_names import short_names, value_names
from craftc.schemas.diagnostic import parse_path
from craftc.schemas.spec import Ablation, Experiment

FULL = "full"
BASE = "base"
BARE = "bare"
ONE_AT_A_TIME = "one_at_a_time"
_MOST_FACTORIAL = 64
"""Features beyond which the number of their combinations is no longer worth its digits."""

Off = Mapping[str, tuple[Setting, ...]]
Point = tuple[Setting, ...]


@dataclass(frozen=True)
class Design:
    """The variants, no two of one name, and the names that stand for two things."""

    variants: tuple[Variant, ...]
    problems: tuple[Problem, ...]


def design(ablation: Ablation, tree: Mapping[str, Any]) -> Design:
    """Every variant of an ablation of what `tree` is written as.

    What two designs of features have in common comes once. A point that is written twice is a problem; different
    points whose names are cut to the same are told apart by a number.
    """
    taken: dict[str, Variant] = {}
    problems: list[Problem] = []
    numbers: dict[str, int] = {}
    for variant in _variants(ablation, tree):
        first = taken.get(variant.name)
        if first is None:
            taken[variant.name] = variant
        elif _values(first) != _values(variant) or _section(first) != _section(variant):
            numbered = _numbered(variant, taken, numbers)
            taken[numbered.name] = numbered
        elif _section(variant) != "features":
            place = _second_place(first, variant)
            if any(problem.path == place for problem in problems):
                continue
            problems.append(Problem("duplicate-variant", place, f"the variant {show(variant.name)} is there already"))
            if len(problems) > MAX_TOLD:
                break
    return Design(tuple(taken.values()), tuple(problems))


def num_variants(ablation: Ablation) -> int:
    """An upper bound of how many there are, without making them; exact where no two designs meet."""
    num_features = len(ablation.features)
    sizes = {
        "leave_one_out": num_features,
        "add_one": num_features + 1,
        "full_factorial": 2 ** min(num_features, _MOST_FACTORIAL) - 1,
        ONE_AT_A_TIME: num_features,
    }
    designed = sum(sizes[name] for name in dict.fromkeys(ablation.design)) if num_features else 0
    designed += len(ablation.sets)
    lengths = [len(values) for values in ablation.grid.values()]
    combined = sum(lengths) if ONE_AT_A_TIME in ablation.design else prod(lengths)
    grid = combined if lengths else 0
    zipped = min((len(values) for values in ablation.zip.values()), default=0)
    if ablation.combine == "product":
        return 1 + (1 + designed) * max(grid, 1) * max(zipped, 1)
    return 1 + designed + grid + zipped


def _variants(ablation: Ablation, tree: Mapping[str, Any]) -> Iterator[Variant]:
    off = {
        name: tuple(
            Setting(set_by_feature(name, path), value, ("ablation", "features", name, path))
            for path, value in settings.items()
        )
        for name, settings in ablation.features.items()
    }
    baseline = Variant(FULL if off else BASE, ())
    designed = [variant for name in dict.fromkeys(ablation.design) for variant in _DESIGNS[name](off)] if off else []
    # One that names what is no feature is a mistake of its own.
    sets = {name: names for name, names in ablation.sets.items() if off.keys() >= set(names)}
    designed += (Variant(name, _merge(off[feature] for feature in names)) for name, names in sets.items())
    yield baseline
    if ablation.combine == "union":
        yield from designed
        yield from _grid(ablation, tree)
        yield from _zip(ablation, tree)
        return
    crossed = [list(points) for points in (_grid(ablation, tree), _zip(ablation, tree))]
    for parts in product([baseline, *designed], *(points for points in crossed if points)):
        named = [part.name for part in parts if part is not baseline]
        if named:
            yield Variant(",".join(named), tuple(setting for part in parts for setting in part.settings))


def _leave_one_out(off: Off) -> Iterator[Variant]:
    yield from (Variant(f"-{name}", settings) for name, settings in off.items())


def _add_one(off: Off) -> Iterator[Variant]:
    yield Variant(BARE, _merge(off.values()))
    for name in off:
        yield Variant(f"+{name}", _merge(settings for other, settings in off.items() if other != name))


def _full_factorial(off: Off) -> Iterator[Variant]:
    """Every combination of features switched off, fewest first."""
    for count in range(1, len(off) + 1):
        for names in combinations(off, count):
            name = BARE if count == len(off) > 1 else ",".join(f"-{name}" for name in names)
            yield Variant(name, _merge(off[name] for name in names))


_DESIGNS = {
    "leave_one_out": _leave_one_out,
    "add_one": _add_one,
    "full_factorial": _full_factorial,
    ONE_AT_A_TIME: _leave_one_out,
}


def _merge(groups: Iterable[tuple[Setting, ...]]) -> tuple[Setting, ...]:
    return tuple({setting.path: setting for settings in groups for setting in settings}.values())


def _grid(ablation: Ablation, tree: Mapping[str, Any]) -> Iterator[Variant]:
    axes = _axes("grid", ablation.grid, _short_names(ablation), tree)
    if ONE_AT_A_TIME in ablation.design:
        yield from (point for axis in axes for point in axis)
    elif axes:
        yield from map(_join, product(*axes))


def _zip(ablation: Ablation, tree: Mapping[str, Any]) -> Iterator[Variant]:
    axes = _axes("zip", ablation.zip, _short_names(ablation), tree)
    yield from map(_join, zip(*axes, strict=False))


def _short_names(ablation: Ablation) -> dict[str, str]:
    return short_names({*ablation.grid, *ablation.zip})


def _axes(
    section: str, axes: Mapping[str, tuple[Any, ...]], short: Mapping[str, str], tree: Mapping[str, Any]
) -> list[list[Variant]]:
    """Each value of each axis as a variant of its own."""
    return [
        [
            Variant(f"{short[path]}={name}", (Setting(path, value, ("ablation", section, path, index)),))
            for index, (value, name) in enumerate(zip(values, value_names(values, _in(tree, path)), strict=True))
        ]
        for path, values in axes.items()
    ]


def _in(tree: Mapping[str, Any], path: str) -> Any:
    try:
        return look_up(tree, parse_path(path))
    except KeyError:
        return None


def _join(points: tuple[Variant, ...]) -> Variant:
    return Variant(",".join(point.name for point in points), tuple(s for point in points for s in point.settings))


def _values(variant: Variant) -> dict[str, Any]:
    return {setting.path: as_component(setting.target, setting.value) for setting in variant.settings}


def _section(variant: Variant) -> str:
    return str(variant.settings[-1].origin[1]) if variant.settings else "features"


def _second_place(first: Variant, second: Variant) -> tuple[str | int, ...]:
    """Where the second of two equal points is written: the first of its settings that stands elsewhere."""
    pairs = zip(first.settings, second.settings, strict=True)
    return next((b.origin for a, b in pairs if a.origin != b.origin), second.settings[-1].origin)


def _numbered(variant: Variant, taken: Mapping[str, Variant], numbers: dict[str, int]) -> Variant:
    """The variant under a name that is not taken. `numbers`: the last that each name got."""
    count = numbers.get(variant.name, 1) + 1
    while f"{variant.name}#{count}" in taken:
        count += 1
    numbers[variant.name] = count
    return replace(variant, name=f"{variant.name}#{count}")


def is_searched(spec: Experiment, variant: str) -> bool:
    """Whether a variant gets a search of its own: all of an ablation of features, and otherwise the spec as written."""
    return spec.search is not None and (bool(spec.ablation.features) or variant in (BASE, FULL))
