"""A mistake in a variant to the setting of the ablation that brings it about."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from craftc.compiler.language.field_words import yaml_value
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import look_up, touch
from craftc.compiler.reading.tree_edit import TreeEdit, rename
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.diagnostic import Path


def blame(problem: Problem, variant: Variant, base_tree: dict[str, Any]) -> Problem:
    """The problem at the setting of the ablation that brings it about: one that reaches its place and changes it.

    The variant is named where that setting alone does not explain the problem.
    """
    if not variant.settings:
        return problem
    setting, place = _cause(problem, variant, base_tree)
    if problem.code == "unknown-factor" or (problem.code == "unknown-key" and setting.target[: len(place)] == place):
        message = problem.message if problem.code == "unknown-factor" else f'there is no "{setting.path}" to set'
        key = tuple(part for part in setting.origin if not isinstance(part, int))
        replaced = [s for s in variant.settings if s is not setting and _replaces(s.target, setting.target)]
        if replaced and problem.code == "unknown-key" and not problem.reads:  # no key is near it
            # A feature's setting is off in other variants, which may have what is replaced here.
            named = [*replaced, setting] if setting.origin[:2] == ("ablation", "features") else replaced
            where = ", ".join(f"{s.path}: {yaml_value(_kind_alone(s.value))}" for s in named)
            hint = f"leave those variants out by ablation.exclude: [{{{where}}}]"
            return Problem("unknown-factor", key, f'variant "{variant.name}": {message}', hint, at_key=True)
        fix = _renamed(problem.fix, setting, key)
        return Problem("unknown-factor", key, message, problem.hint, at_key=True, related=problem.related, fix=fix)
    reached = place[: len(setting.target)] == setting.target
    alone = reached and (not problem.reads or len(variant.settings) == 1)
    return replace(
        problem,
        path=(*setting.origin, *place[len(setting.target) :]) if reached else setting.origin,
        message=problem.message if alone else f'variant "{variant.name}": {problem.message}',
        hint=_not_as_a_whole(problem, setting, base_tree) if reached else problem.hint,
        at_key=problem.at_key and reached and len(place) > len(setting.target),
        reads=(),
        fix=_at_origin(problem.fix, setting),
    )


def blame_alone(problem: Problem, variant: Variant, base_tree: dict[str, Any]) -> Problem:
    """A problem of a trial at the setting of its variant that touches the place, and by the name of the variant."""
    if not variant.settings:
        return problem
    if not any(touch(setting.target, problem.path) for setting in variant.settings):
        return replace(problem, message=f'variant "{variant.name}": {problem.message}')
    placed = blame(problem, variant, base_tree)
    named = placed.message.startswith("variant ")
    return placed if named else replace(placed, message=f'variant "{variant.name}": {placed.message}')


def _replaces(target: Path, other: Path) -> bool:
    """Whether what is set at one place decides whether there is the other."""
    return target == other[: len(target)] or (target[-1] == "kind" and target[:-1] == other[: len(target) - 1])


def _kind_alone(value: Any) -> Any:
    return value["kind"] if isinstance(value, dict) and "kind" in value else value


def _renamed(fix: TreeEdit | None, setting: Setting, key: Path) -> TreeEdit | None:
    """The path that is set, with the part that is misspelt as it can only have been meant."""
    if fix is None or fix.action != "rename" or setting.target[: len(fix.path)] != fix.path:
        return None
    parts = setting.path.split(".")
    parts[len(fix.path) - 1] = fix.text
    return rename(key, ".".join(parts))


def _at_origin(fix: TreeEdit | None, setting: Setting) -> TreeEdit | None:
    """The mend of a value where the ablation sets it; None of what the spec has elsewhere, right by itself."""
    if fix is None or fix.action == "move" or fix.path[: len(setting.target)] != setting.target:
        return None
    return fix._replace(path=(*setting.origin, *fix.path[len(setting.target) :]))


def _not_as_a_whole(problem: Problem, setting: Setting, base_tree: dict[str, Any]) -> str | None:
    """The problem's hint; of a key that is missing since its section is replaced, how to set one key of that alone."""
    value, path = setting.value, setting.path
    is_whole = setting.target == ("data", "splits")  # of which one fraction alone cannot be another
    if problem.code != "missing-key" or not isinstance(value, dict) or not value or is_whole:
        return problem.hint
    try:
        look_up(base_tree, problem.path)
    except KeyError:
        return problem.hint
    while isinstance(value, dict) and value:
        name, value = next(iter(value.items()))
        path += f".{name}"
    return f'this replaces all of "{setting.path}"; to set one key of it, write {path}: {yaml_value(value)}'


def _cause(problem: Problem, variant: Variant, base_tree: dict[str, Any]) -> tuple[Setting, Path]:
    """The setting that most likely brings a problem about, and which of the problem's places it reaches."""

    def common(setting: Setting, place: Path) -> int:
        pairs = zip(setting.target, place, strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(setting.target), len(place)))

    def likeliness(pair: tuple[Setting, Path]) -> tuple[bool, bool, bool, int]:
        setting, place = pair
        # What sets an unknown key brings it about, also where the spec as written, of another component, has it so.
        is_itself = problem.code in ("unknown-key", "unknown-factor") and setting.target == place == problem.path
        changes = is_itself or _changes(setting, base_tree)
        return touch(setting.target, place), changes, is_itself, common(setting, place)

    places = (problem.path, *problem.reads)
    return max(((setting, place) for setting in variant.settings for place in places), key=likeliness)


def told_at(placed: Problem) -> Path:
    """The place by which a problem is told once: what cannot be checked, however many values of a factor meet it; a key
    that is missing beside what a factor sets, whatever its value."""
    if placed.severity == "note":
        return ()
    if placed.code == "missing-key":
        return tuple(part for part in placed.path if not isinstance(part, int))
    return placed.path


def lacking(problems: Iterable[Problem]) -> set[Path]:
    """Where the spec as written may have nothing by mistake that a variant could set something in."""
    return {problem.path for problem in problems if problem.code in ("missing-key", "empty-value", "wrong-type")}


def follows(problem: Problem, variant: Variant, base_tree: dict[str, Any], mistakes: Collection[Path]) -> bool:
    """Whether a problem is there because of a mistake of the spec as written, in what is around the place that the
    variant sets, and not because of what it sets there. `mistakes` are the places that `lacking` tells."""
    if not mistakes or not variant.settings:
        return False
    setting, place = _cause(problem, variant, base_tree)
    around = [bad for bad in mistakes if len(bad) < len(setting.target) and setting.target[: len(bad)] == bad]
    if problem.code == "unknown-factor":
        return bool(around)
    reached = place[: len(setting.target)] == setting.target
    return not reached and any(place[: len(bad)] == bad for bad in around)


def is_changed(problem: Problem, variant: Variant, base_tree: dict[str, Any]) -> bool:
    """Whether the variant sets another value where a problem of the spec as written stands."""
    places = (problem.path, *problem.reads)
    reaching = [s for s in variant.settings if any(touch(s.target, place) for place in places)]
    return any(_changes(setting, base_tree) for setting in reaching)


def _changes(setting: Setting, tree: dict[str, Any]) -> bool:
    try:
        return bool(look_up(tree, setting.target) != as_component(setting.target, setting.value))
    except KeyError:
        return True
