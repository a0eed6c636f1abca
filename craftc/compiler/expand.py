"""A spec's ablation to its variants: the baseline, the features switched off by design, the grid and the zip.

Order: the baseline, leave_one_out, add_one (bare first), grid, zip. The baseline is always a variant, since every
other is compared with it. `exclude` and `require` then leave out variants, never the baseline.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from craftc.compiler.checks import EXPERIMENT_RULES, Checked, check
from craftc.compiler.expression import Expression, ExpressionError, look_up
from craftc.compiler.problem import Problem
from craftc.compiler.resolve import resolve
from craftc.compiler.validate import validate
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, format_path, parse_path
from craftc.schemas.spec import Ablation, Spec

FULL = "full"
BASE = "base"
BARE = "bare"


@dataclass(frozen=True)
class Setting:
    """One value that a variant sets, and the place in the spec that says so."""

    path: str
    value: Any
    origin: Path


@dataclass(frozen=True)
class Variant:
    """A named set of settings over the spec as written."""

    name: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class ResolvedVariant:
    """A variant with its own complete spec."""

    name: str
    overrides: dict[str, Any]
    spec: Spec


@dataclass(frozen=True)
class Expansion:
    """All variants that can be trained, and what is wrong with the others."""

    variants: tuple[ResolvedVariant, ...]
    problems: list[Problem]


def expand(base: Checked, base_problems: list[Problem]) -> Expansion:
    """Resolve, validate and check every variant, telling each mistake once, where the ablation makes it."""
    known = {(problem.code, problem.path, problem.message) for problem in base_problems}
    told: set[tuple[str, Path, str]] = set()
    resolved: list[ResolvedVariant] = []
    problems: list[Problem] = []
    for variant in _variants(base.spec):
        spec, tree, found = _resolve_variant(base, variant)
        for problem in found:
            if (problem.code, problem.path, problem.message) in known:
                continue
            placed = _blame(problem, variant, base.tree)
            if (placed.code, placed.path, problem.message) not in told:
                told.add((placed.code, placed.path, problem.message))
                problems.append(placed)
        if spec is not None and not _left_out(variant, tree, base.spec.ablation):
            overrides = {setting.path: setting.value for setting in variant.settings}
            resolved.append(ResolvedVariant(variant.name, overrides, spec))
    problems += _check_exclude(base)
    if len(resolved) == 1 and _asks_for_more(base.spec.ablation) and not problems:
        message = "exclude and require leave no variant but the spec as written"
        problems.append(Problem("nothing-left", ("ablation",), message, at_key=True))
    return Expansion(tuple(resolved), problems)


def _asks_for_more(ablation: Ablation) -> bool:
    return bool(ablation.features or ablation.grid or ablation.zip)


def _variants(spec: Spec) -> Iterator[Variant]:
    """Every variant by name, before exclude and require."""
    ablation = spec.ablation
    off = {
        name: tuple(Setting(path, value, ("ablation", "features", name, path)) for path, value in settings.items())
        for name, settings in ablation.features.items()
    }
    yield Variant(FULL if off else BASE, ())
    if off and "leave_one_out" in ablation.design:
        yield from (Variant(f"-{name}", settings) for name, settings in off.items())
    if off and "add_one" in ablation.design:
        yield Variant(BARE, _merge(off.values()))
        for name in off:
            yield Variant(f"+{name}", _merge(settings for other, settings in off.items() if other != name))
    yield from _named(_grid_points(ablation))


def _merge(settings: Any) -> tuple[Setting, ...]:
    return tuple({setting.path: setting for group in settings for setting in group}.values())


def _grid_points(ablation: Ablation) -> Iterator[tuple[Setting, ...]]:
    def axis(section: str, path: str, values: tuple[Any, ...]) -> list[Setting]:
        return [Setting(path, value, ("ablation", section, path, index)) for index, value in enumerate(values)]

    if ablation.grid:
        yield from product(*(axis("grid", path, values) for path, values in ablation.grid.items()))
    if ablation.zip:
        yield from zip(*(axis("zip", path, values) for path, values in ablation.zip.items()), strict=False)


def _named(points: Iterator[tuple[Setting, ...]]) -> Iterator[Variant]:
    points_list = list(points)
    short = short_names({setting.path for point in points_list for setting in point})
    taken: dict[str, int] = {}
    for point in points_list:
        name = ",".join(f"{short[setting.path]}={_value_name(setting.value)}" for setting in point)
        taken[name] = taken.get(name, 0) + 1
        yield Variant(name if taken[name] == 1 else f"{name}#{taken[name]}", point)


def short_names(paths: set[str]) -> dict[str, str]:
    """Each path by as few of its last parts as tell it from the others: `model.num_layers` to `num_layers`."""
    names: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[-count:])
            others = [other for other in paths if other != path and (f".{other}").endswith(f".{name}")]
            if not others and not parts[-count].isdigit():
                break
        names[path] = name
    return names


def _value_name(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("kind"), str):
        return str(value["kind"])
    if isinstance(value, str):
        return value
    text = f"{value:g}" if isinstance(value, float) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 40 else text[:37] + "..."


def _resolve_variant(base: Checked, variant: Variant) -> tuple[Spec | None, dict[str, Any], list[Problem]]:
    written = copy.deepcopy(base.written)
    for setting in variant.settings:
        if not set_path(written, parse_path(setting.path), copy.deepcopy(setting.value)):
            message = f'there is no "{setting.path}" to set'
            return None, written, [Problem("unknown-factor", parse_path(setting.path), message)]
    written = resolve(written)
    validated = validate(written, base.catalogue)
    if validated.spec is None:
        return None, written, validated.problems
    checked = Checked(validated.spec, validated.tree, written, base.catalogue)
    problems = validated.problems + untainted(check(checked, EXPERIMENT_RULES), validated.tainted)
    return validated.spec, validated.tree, problems


def untainted(problems: list[Problem], tainted: frozenset[Path]) -> list[Problem]:
    """The problems that do not stand on a mistaken value."""

    def touches(path: Path) -> bool:
        return any(path[: len(bad)] == bad or bad[: len(path)] == path for bad in tainted)

    return [problem for problem in problems if not any(touches(path) for path in (problem.path, *problem.reads))]


def set_path(tree: Any, path: Path, value: Any) -> bool:
    """Set the value at a path, making mappings on the way; False where the path leads through something else."""
    for part in path[:-1]:
        if isinstance(tree, dict):
            tree = tree.setdefault(str(part), {})
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return False
    last = path[-1]
    if isinstance(tree, dict):
        tree[str(last)] = value
    elif isinstance(tree, list) and isinstance(last, int) and last < len(tree):
        tree[last] = value
    else:
        return False
    return True


def _blame(problem: Problem, variant: Variant, base_tree: dict[str, Any]) -> Problem:
    """The problem at the setting of the ablation that brings it about: one that reaches its place and changes it."""
    reached = [
        (setting, path)
        for setting in variant.settings
        for path in (problem.path, *problem.reads)
        if path[: len(parse_path(setting.path))] == parse_path(setting.path)
    ]
    reached.sort(key=lambda pair: not _changes(pair[0], base_tree))
    if not reached:
        origin = variant.settings[0].origin if variant.settings else problem.path
        message = f'variant "{variant.name}": {problem.message}'
        return Problem(problem.code, origin, message, problem.hint, severity=problem.severity)
    setting, path = reached[0]
    rest = path[len(parse_path(setting.path)) :]
    if problem.code in ("unknown-key", "unknown-factor") and not rest:
        message = f'there is no "{setting.path}" to set'
        place = tuple(part for part in setting.origin if not isinstance(part, int))
        return Problem("unknown-factor", place, message, problem.hint, at_key=True)
    return replace(problem, path=(*setting.origin, *rest), reads=())


def _changes(setting: Setting, tree: dict[str, Any]) -> bool:
    try:
        return bool(look_up(tree, parse_path(setting.path)) != setting.value)
    except KeyError:
        return True


def _left_out(variant: Variant, tree: dict[str, Any], ablation: Ablation) -> bool:
    if not variant.settings:
        return False
    if any(all(_is(tree, path, value) for path, value in rule.items()) for rule in ablation.exclude):
        return True
    try:
        return not all(Expression(text).evaluate(tree) for text in ablation.require)
    except ExpressionError:
        return False


def _is(tree: dict[str, Any], path: str, value: Any) -> bool:
    try:
        found = look_up(tree, parse_path(path))
    except KeyError:
        return False
    return bool(found == value) or (isinstance(found, dict) and found.get("kind") == value)


def _check_exclude(base: Checked) -> Iterator[Problem]:
    factors = {path for path in (*base.spec.ablation.grid, *base.spec.ablation.zip)}
    factors |= {path for settings in base.spec.ablation.features.values() for path in settings}
    for index, rule in enumerate(base.spec.ablation.exclude):
        for path in rule:
            try:
                look_up(base.tree, parse_path(path))
            except KeyError:
                if path not in factors:
                    place: Path = ("ablation", "exclude", index, path)
                    message = f'there is no "{format_path(parse_path(path))}" to exclude by'
                    yield Problem("unknown-factor", place, message, at_key=True)
