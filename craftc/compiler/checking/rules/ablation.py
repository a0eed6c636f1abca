"""Rules of an ablation: one function and one code each. Every function yields what breaks its rule."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from craftc.compiler.checking.rules.rule import CheckedExperiment, ExperimentRule
from craftc.compiler.language.expression import ExpressionError, parse_expression
from craftc.compiler.language.removals import set_by_feature
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean, one_of, show
from craftc.compiler.reading.tree import hashable, look_up, written_at
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import SeedsUntilDecided, Spec

MAX_SEED = 2**32 - 1
MAX_NAME = 100
"""Characters of a feature's name, as of an experiment's."""
NAMES_OF_VARIANTS = ("full", "base", "bare")


def design_without_features(checked: CheckedExperiment) -> Iterator[Problem]:
    """A design of features has features; one_at_a_time is one of a grid too."""
    ablation = checked.spec.ablation
    varies_grid = bool(ablation.grid) and "one_at_a_time" in ablation.design
    if "design" in written_at(checked.written, ("ablation",)) and not ablation.features and not varies_grid:
        message = "design says how features are combined, and there are none"
        yield Problem("no-effect", ("ablation", "design"), message, "name features, or remove it", True, "warning")


def product_of_one(checked: CheckedExperiment) -> Iterator[Problem]:
    """A product has something to multiply."""
    ablation = checked.spec.ablation
    parts = [name for name in ("features", "grid", "zip") if getattr(ablation, name)]
    if ablation.combine == "product" and len(parts) < 2:
        message = f"a product takes two of features, grid and zip, and there is {one_of(parts)}"
        yield Problem("no-effect", ("ablation", "combine"), message, "remove it", True, "warning")


def crossed_factor_twice(checked: CheckedExperiment) -> Iterator[Problem]:
    """In a product, a feature does not set what the grid or the zip varies: one of the two would be lost."""
    ablation = checked.spec.ablation
    for name, settings in ablation.features.items() if ablation.combine == "product" else ():
        for path in settings:
            for axes in ("grid", "zip"):
                if path in getattr(ablation, axes):
                    message = f'"{path}" is varied by {axes} too, and combine: product takes both together'
                    place = ("ablation", "features", name, path)
                    yield Problem("factor-twice", place, message, "take combine: union", at_key=True)


def zip_length(checked: CheckedExperiment) -> Iterator[Problem]:
    """What is taken in step is equally long."""
    lengths = {path: len(values) for path, values in checked.spec.ablation.zip.items()}
    if len(set(lengths.values())) > 1:
        told = all_of(f"{path} has {length}" for path, length in lengths.items())
        message = f"the lists are taken in step and differ in length: {told}"
        yield Problem("zip-length", ("ablation", "zip"), message)


def factor_twice(checked: CheckedExperiment) -> Iterator[Problem]:
    """A path is varied by grid or by zip, not by both."""
    ablation = checked.spec.ablation
    for path in ablation.zip:
        if path in ablation.grid:
            message = f'"{path}" is varied by grid too'
            yield Problem("factor-twice", ("ablation", "zip", path), message, "keep one of the two", at_key=True)


def feature_conflict(checked: CheckedExperiment) -> Iterator[Problem]:
    """Features that are off together agree on what they set; `add_one` and `full_factorial` switch several off."""
    ablation = checked.spec.ablation
    together = next((name for name in ("add_one", "full_factorial") if name in ablation.design), None)
    set_by: dict[str, tuple[str, Any]] = {}
    for name, settings in ablation.features.items() if together else ():
        for path, value in settings.items():
            path_set = set_by_feature(name, path)
            first, other = set_by.setdefault(path_set, (name, _as_set(path_set, value)))
            if other != _as_set(path_set, value):
                message = f'"{first}" and "{name}" set it differently, and {together} switches both off'
                yield Problem("feature-conflict", ("ablation", "features", name, path), message)


def feature_sets(checked: CheckedExperiment) -> Iterator[Problem]:
    """A set has a name that no other variant has, and features that there are, each once, which agree."""
    ablation = checked.spec.ablation
    for name, names in ablation.sets.items():
        place: Path = ("ablation", "sets", name)
        if name in NAMES_OF_VARIANTS or name[:1] in ("-", "+"):
            message = f"{show(name)} cannot name a set of features"
            hint = f"{one_of(NAMES_OF_VARIANTS)}, and what begins with - or +, are names of other variants"
            yield Problem("unfit-name", place, message, hint, at_key=True)
        elif name in ablation.features:
            hint = f'it is a feature, and "-{name}" the variant without it'
            yield Problem("unfit-name", place, f"{show(name)} cannot name a set of features", hint, at_key=True)
        set_by: dict[str, tuple[str, Any]] = {}
        for index, feature in enumerate(names):
            if feature not in ablation.features:
                near = did_you_mean(feature, ablation.features) or f"there are {all_of(ablation.features) or 'none'}"
                yield Problem("unknown-feature", (*place, index), f"there is no feature {show(feature)}", near)
            elif feature in names[:index]:
                yield Problem("unknown-feature", (*place, index), f"{show(feature)} is listed twice", "remove one")
            else:
                yield from _disagreeing(feature, ablation.features[feature], set_by, (*place, index))


def _disagreeing(
    feature: str, settings: Mapping[str, Any], set_by: dict[str, tuple[str, Any]], place: Path
) -> Iterator[Problem]:
    for written, value in settings.items():
        path = set_by_feature(feature, written)
        first, other = set_by.setdefault(path, (feature, _as_set(path, value)))
        if other != _as_set(path, value):
            message = f'"{first}" and "{feature}" set {path} differently, and this set switches both off'
            yield Problem("feature-conflict", place, message)


def duplicate_seed(checked: CheckedExperiment) -> Iterator[Problem]:
    """A seed is listed once."""
    seeds = checked.spec.ablation.seeds
    seen: set[int] = set()
    for index, seed in enumerate(seeds if isinstance(seeds, tuple) else ()):
        if seed in seen:
            yield Problem("duplicate-seed", ("ablation", "seeds", index), f"the seed {seed} is listed twice")
        seen.add(seed)


def seeds_beyond(checked: CheckedExperiment) -> Iterator[Problem]:
    """Replicates that are counted up from `seed` have seeds too."""
    seeds, first = checked.spec.ablation.num_seeds, checked.spec.seed
    if not isinstance(checked.spec.ablation.seeds, tuple) and first + seeds > MAX_SEED + 1 and seeds <= MAX_SEED + 1:
        message = f"{seeds:,} seeds counted up from {first} go beyond {MAX_SEED}, the largest seed"
        reads: tuple[Path, ...] = (("seed",), ("ablation", "seeds"))
        yield Problem("seeds-out-of-range", ("ablation", "seeds"), message, "begin with a smaller seed", reads=reads)


def seeds_until_decided(checked: CheckedExperiment) -> Iterator[Problem]:
    """Seeds are added where a comparison of seeds can decide, and where there is room for more."""
    spec = checked.spec
    seeds, place = spec.ablation.seeds, ("ablation", "seeds")
    if not isinstance(seeds, SeedsUntilDecided):
        return
    if seeds.at_most <= seeds.at_least:
        message = f"at_most is {seeds.at_most}, and at_least {seeds.at_least}, so that no seed could be added"
        hint = f"write a larger at_most, or seeds: {seeds.at_least}"
        yield Problem("undecidable-seeds", (*place, "at_most"), message, hint)
    if spec.search is not None:
        message = "a search judges each point by the mean of all seeds, and cannot have them added one after another"
        yield Problem("undecidable-seeds", place, message, f"write seeds: {seeds.at_least}", reads=(("search",),))
    splits = spec.data.splits if isinstance(spec, Spec) else None
    if splits is not None and splits.folds is not None and splits.fold is None:
        message = "folds are compared fold by fold, and more seeds decide nothing about them"
        reads: tuple[Path, ...] = (("data", "splits", "folds"),)
        yield Problem("undecidable-seeds", place, message, f"write seeds: {seeds.at_least}", reads=reads)


def feature_names(checked: CheckedExperiment) -> Iterator[Problem]:
    """The name of a feature or a set can be seen, and stands in names of variants, tables and trackers."""
    ablation = checked.spec.ablation
    for section, what, name in [
        *(("features", "feature", name) for name in ablation.features),
        *(("sets", "set", name) for name in ablation.sets),
    ]:
        if not name or not name.isprintable() or name != name.strip() or len(name) > MAX_NAME:
            message = f"{show(name)} cannot name a {what}: it stands in names of variants"
            hint = f"use up to {MAX_NAME} characters that can be seen, none of them a space at an end"
            yield Problem("unfit-name", ("ablation", section, name), message, hint, at_key=True)


def bad_expression(checked: CheckedExperiment) -> Iterator[Problem]:
    """A rule of `require` can be read and computed for the spec as written."""
    for index, text in enumerate(checked.spec.ablation.require):
        path: Path = ("ablation", "require", index)
        try:
            parse_expression(text).evaluate(checked.tree)
        except ExpressionError as error:
            yield Problem("bad-expression", path, f"{show(text)} {error}", within=error.within)


def requirement(checked: CheckedExperiment) -> Iterator[Problem]:
    """The spec as written meets its own `require`; a variant that does not is left out."""
    for index, text in enumerate(checked.spec.ablation.require):
        try:
            met = parse_expression(text).evaluate(checked.tree)
        except ExpressionError:
            continue
        if not met:
            path: Path = ("ablation", "require", index)
            message = f"the spec as written does not meet {show(text)}, and every variant is compared with it"
            yield Problem("requirement-unmet", path, message)


def feature_off_already(checked: CheckedExperiment) -> Iterator[Problem]:
    """Switching a feature off changes something."""
    for name, settings in checked.spec.ablation.features.items():
        if all(_has(checked.tree, set_by_feature(name, path), value) for path, value in settings.items()):
            message = f'"{name}" is off in the spec as written: switching it off changes nothing'
            yield _idle_feature(name, message, "give the spec what the feature is, or remove it")


def features_alike(checked: CheckedExperiment) -> Iterator[Problem]:
    """No two features are switched off by the same settings."""
    seen: dict[Hashable, str] = {}
    for name, settings in checked.spec.ablation.features.items():
        first = seen.setdefault(hashable({path: _as_set(path, value) for path, value in settings.items()}), name)
        if first != name:
            yield _idle_feature(
                name, f'"{name}" is switched off by what switches "{first}" off', "remove one of the two"
            )


def _idle_feature(name: str, message: str, hint: str) -> Problem:
    reads: tuple[Path, ...] = (("ablation", "features", name),)
    return Problem("no-effect", ("ablation", "features", name), message, hint, True, "warning", reads)


def _as_set(path: str, value: Any) -> Any:
    return as_component(parse_path(path), value)


def _has(tree: dict[str, Any], path: str, value: Any) -> bool:
    try:
        found = look_up(tree, parse_path(path))
    except KeyError:
        return False
    return bool(found == value and isinstance(found, bool) == isinstance(value, bool)) or found == {"kind": value}


ABLATION_RULES: tuple[ExperimentRule, ...] = (
    design_without_features,
    product_of_one,
    zip_length,
    factor_twice,
    crossed_factor_twice,
    feature_conflict,
    feature_sets,
    duplicate_seed,
    seeds_beyond,
    seeds_until_decided,
    feature_names,
    feature_off_already,
    features_alike,
    bad_expression,
    requirement,
)
"""What the ablation itself has to keep; asked once, of the spec as written."""
