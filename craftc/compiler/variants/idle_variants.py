"""Finds features that change nothing, and variants that are equal once every default is filled in."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from craftc.compiler.checking.rules.rule import CheckedExperiment
from craftc.compiler.language.spec_places import NONE
from craftc.compiler.reading.problem import Problem, show
from craftc.compiler.reading.tree import look_up
from craftc.compiler.variants.resolve_variant import ResolvedVariant, resolve_variant
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.diagnostic import Path

Values = tuple[tuple[str, str], ...]
"""Paths, each with its value as JSON."""


def idle_variants(
    base: CheckedExperiment, start: CheckedExperiment, resolved: Sequence[ResolvedVariant], known: Iterable[Problem]
) -> Iterator[Problem]:
    """What has no effect in a spec without errors, beyond what the text shows. `start` is `base` without its ablation,
    `known` what was found before."""
    idle = {problem.path for problem in known if problem.code == "no-effect"}
    yield from (problem for problem in _idle_features(base, start) if problem.path not in idle)
    yield from _idle_axes(base, resolved)
    yield from _alike(base, resolved)


def _idle_features(base: CheckedExperiment, start: CheckedExperiment) -> Iterator[Problem]:
    """Features whose switching off leaves the spec as it is, or does what that of another does."""
    seen: dict[Values, str] = {}
    for name, settings in base.spec.ablation.features.items():
        place: Path = ("ablation", "features", name)
        variant = Variant(name, tuple(Setting(path, value, (*place, path)) for path, value in settings.items()))
        checked, _ = resolve_variant(start, variant, ())
        values = None if checked is None else _values(variant, checked)
        if values is None:
            continue
        if values == _values(variant, base):
            message = f'"{name}" is off in the spec as written: switching it off changes nothing'
            hint = "give the spec what the feature is, or remove it"
            yield Problem("no-effect", place, message, hint, True, "warning", (place,))
        elif (first := seen.setdefault(values, name)) != name:
            message = f'"{name}" is switched off by what switches "{first}" off'
            yield Problem("no-effect", place, message, "remove one of the two", True, "warning", (place,))


def _idle_axes(base: CheckedExperiment, resolved: Sequence[ResolvedVariant]) -> Iterator[Problem]:
    """An axis of one value, which is that of the spec as written."""
    of_one = {
        ("ablation", section, path, 0)
        for section in ("grid", "zip")
        for path, values in getattr(base.spec.ablation, section).items()
        if len(values) == 1
    }
    for each in resolved:
        for setting in each.variant.settings:
            if setting.origin not in of_one:
                continue
            of_one.discard(setting.origin)
            alone = Variant(each.name, (setting,))
            values = _values(alone, each.checked)
            if values is not None and values == _values(alone, base):
                message = f"the only value of the axis is that of the spec as written, {_shown(setting)}"
                hint = "name another value, or remove the axis"
                yield Problem("no-effect", setting.origin, message, hint, severity="warning")


def _alike(base: CheckedExperiment, resolved: Sequence[ResolvedVariant]) -> Iterator[Problem]:
    """Points of an axis, and sets of features, that come to the same as others of their section; each place is reported
    once."""
    seen: dict[tuple[frozenset[str | int], Values], Variant] = {}
    told: set[Path] = set()
    for each in resolved:
        values = _values(each.variant, each.checked) if each.variant.settings else None
        sections = frozenset(setting.origin[1] for setting in each.variant.settings)
        first = each.variant if values is None else seen.setdefault((sections, values), each.variant)
        if first is each.variant:
            continue
        place = _place(first, each.variant, base)
        if place is not None and place not in told:
            told.add(place)
            message = f"the variant {show(each.name)} is {show(first.name)}: with every default, both set the same"
            is_key = place[1] == "sets"
            yield Problem("duplicate-variant", place, message, "remove one of the two", is_key, "warning")


def _place(first: Variant, second: Variant, base: CheckedExperiment) -> Path | None:
    """Where the second is written: a set, or the value of an axis at which it differs from the first. None of what two
    designs have in common."""
    if second.name in base.spec.ablation.sets:
        return ("ablation", "sets", second.name)
    places = {setting.origin for setting in first.settings}
    own = [setting.origin for setting in second.settings if setting.origin not in places]
    return next((place for place in own if place[1] in ("grid", "zip")), None)


def _values(variant: Variant, checked: CheckedExperiment) -> Values | None:
    """What the settings of a variant come to; None where one is of no place."""
    try:
        found = {setting.path: _value(setting, checked) for setting in variant.settings}
    except KeyError:
        return None
    return tuple(sorted((path, json.dumps(value, sort_keys=True)) for path, value in found.items()))


def _value(setting: Setting, checked: CheckedExperiment) -> Any:
    """Of an item that is taken out of its list, that; the others have moved up."""
    if isinstance(setting.target[-1], int):
        with suppress(KeyError):
            if look_up(checked.written, setting.target) == NONE:
                return NONE
    return look_up(checked.tree, setting.target)


def _shown(setting: Setting) -> str:
    value = setting.value
    return ", ".join(map(show, value)) if isinstance(value, list | tuple) else show(value)
