"""Leave out variants by `exclude` and `require`, and report what is wrong with these rules."""

from collections.abc import Hashable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from craftc.compiler.checking.rules.rule import CheckedExperiment
from craftc.compiler.language.expression import Expression, ExpressionError, parse_expression
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.nearest import surely_meant
from craftc.compiler.reading.problem import Problem, did_you_mean, show
from craftc.compiler.reading.tree import hashable, look_up
from craftc.compiler.reading.tree_edit import rename
from craftc.compiler.variants.variant import Variant
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import Ablation

NO_SETTINGS: Mapping[Path, Any] = MappingProxyType({})


class VariantFilters:
    """The rules of `exclude` and `require`, and which of them never matched or failed."""

    def __init__(self, ablation: Ablation) -> None:
        self._exclude = exclude_groups(ablation)
        self._require = dict(_readable(ablation))
        self._unmatched = set(range(len(ablation.exclude)))
        self._failed: dict[int, Problem] = {}

    def leave_out(self, variant: Variant, checked: CheckedExperiment, *, is_possible: bool = True) -> bool:
        """Whether a variant is excluded, or does not meet a requirement.

        Of one that is not possible, `checked` is what could be made of it, and lacks what it sets in vain; a
        requirement that cannot be computed for it is not reported.
        """
        settings = {} if is_possible else _set_values(variant)
        matching = [index for group in self._exclude for index in group.matching(checked.tree, settings)]
        self._unmatched.difference_update(matching)
        if not is_possible:
            return bool(matching) or any(_is_unmet(rule, checked.tree) for rule in self._require.values())
        return bool(matching) or not all(self._is_met(index, variant, checked) for index in self._require)

    def _is_met(self, index: int, variant: Variant, checked: CheckedExperiment) -> bool:
        """A requirement that cannot be computed counts as met, and is reported."""
        expression = self._require[index]
        try:
            return bool(expression.evaluate(checked.tree))
        except ExpressionError as error:
            message = f'variant "{variant.name}": {show(expression.text)} {error}'
            place: Path = ("ablation", "require", index)
            self._failed.setdefault(index, Problem("bad-expression", place, message, within=error.within))
            return True

    def failed(self) -> list[Problem]:
        """The requirements that could not be computed for some variant."""
        return list(self._failed.values())

    def unmatched(self) -> Iterator[Problem]:
        """The rules of `exclude` that no variant fell under."""
        for index in sorted(self._unmatched):
            message = "this excludes nothing: no variant has all these values"
            yield Problem("no-effect", ("ablation", "exclude", index), message, severity="warning")


def _readable(ablation: Ablation) -> Iterator[tuple[int, Expression]]:
    """The requirements that are expressions; a rule of the spec as written reports the others."""
    for index, text in enumerate(ablation.require):
        try:
            yield index, parse_expression(text)
        except ExpressionError:
            continue


def _is_unmet(rule: Expression, tree: dict[str, Any]) -> bool:
    try:
        return not rule.evaluate(tree)
    except ExpressionError:
        return False


def _set_values(variant: Variant) -> dict[Path, Any]:
    """What a variant sets, by place; of a component, each of its arguments too."""
    found: dict[Path, Any] = {}
    for setting in sorted(variant.settings, key=lambda setting: len(setting.target)):
        value = as_component(setting.target, setting.value)
        found[setting.target] = value
        if isinstance(value, dict):
            found |= {(*setting.target, key): inner for key, inner in value.items()}
    return found


class ExcludeGroup:
    """Rules of `exclude` that give values for the same paths, looked up all at once."""

    def __init__(self, paths: tuple[str, ...], are_text: tuple[bool, ...]) -> None:
        self._paths = [(parse_path(path), is_text) for path, is_text in zip(paths, are_text, strict=True)]
        self._rules: dict[Hashable, list[int]] = {}

    def add(self, index: int, values: tuple[Any, ...]) -> None:
        """Add a rule by its index."""
        self._rules.setdefault(hashable(values), []).append(index)

    def matching(self, tree: dict[str, Any], settings: Mapping[Path, Any] = NO_SETTINGS) -> list[int]:
        """The indices of the rules that a variant falls under. A text also matches a component of that kind."""
        found = []
        for path, is_text in self._paths:
            try:
                value = settings[path] if path in settings else look_up(tree, path)
            except KeyError:
                return []
            is_component = is_text and isinstance(value, dict) and isinstance(value.get("kind"), str)
            found.append(value["kind"] if is_component else value)
        return self._rules.get(hashable(tuple(found)), [])


def exclude_groups(ablation: Ablation) -> list[ExcludeGroup]:
    """The rules of `exclude`, those of the same paths together."""
    groups: dict[tuple[tuple[str, bool], ...], ExcludeGroup] = {}
    for index, rule in enumerate(map(_by_argument, ablation.exclude)):
        paths = sorted(rule)
        are_text = tuple(isinstance(rule[path], str) for path in paths)
        group = groups.setdefault(tuple(zip(paths, are_text, strict=True)), ExcludeGroup(tuple(paths), are_text))
        group.add(index, tuple(rule[path] for path in paths))
    return list(groups.values())


def _by_argument(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule in which a component stands for its kind and the arguments that are given, and for no default."""
    found: dict[str, Any] = {}
    for path, value in rule.items():
        if isinstance(value, dict) and isinstance(value.get("kind"), str):
            found[path] = value["kind"]
            found |= {f"{path}.{name}": inner for name, inner in value.items() if name != "kind"}
        else:
            found[path] = value
    return found


def unknown_exclude_paths(base: CheckedExperiment) -> Iterator[Problem]:
    """Paths of `exclude` that neither the spec has nor the ablation sets."""
    ablation = base.spec.ablation
    factors = {*ablation.grid, *ablation.zip, *(path for settings in ablation.features.values() for path in settings)}
    for index, rule in enumerate(ablation.exclude):
        for path in rule:
            try:
                look_up(base.tree, parse_path(path))
            except KeyError:
                if path not in factors:
                    place: Path = ("ablation", "exclude", index, path)
                    hint = did_you_mean(path, factors)
                    meant = surely_meant(path, factors)
                    fix = rename(place, meant) if meant is not None else None
                    message = f'there is no "{path}" to exclude by'
                    yield Problem("unknown-factor", place, message, hint, at_key=True, fix=fix)
