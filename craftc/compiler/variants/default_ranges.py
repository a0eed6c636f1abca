"""A spec's components in; the ranges that `search: {use: defaults}` searches, of those that they declare, out."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from craftc.compiler.checking.rules.all_rules import variant_rules
from craftc.compiler.checking.rules.headline import headline_rules
from craftc.compiler.checking.rules.rule import AnyRule, Checked, CheckedExperiment
from craftc.compiler.checking.rules.search import SPACE, hands_on, moves_target
from craftc.compiler.language.component_fields import ComponentPlace, all_component_places, fields_of
from craftc.compiler.language.handed_on import is_handed
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import touch
from craftc.compiler.variants.ablation_size import too_large
from craftc.compiler.variants.designs import design, is_searched
from craftc.compiler.variants.resolve_variant import resolve_variant, without_ablation
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.catalogue import RANGE_FORMS, fact_of
from craftc.schemas.diagnostic import Path, format_path, parse_path
from craftc.schemas.language import SECTIONS
from craftc.schemas.spec import REGULARIZED, Spec

MAX_PROBES = 1_000
"""Each is a spec of its own that is checked, which takes a third of a millisecond."""
_NOT_SEARCHED = ("sources", "metrics", "views", "after_stages")
"""Groups whose arguments decide what is compared, and not how well it is learned."""

Ranges = dict[str, dict[str, Any]]


def declared_ranges(checked: CheckedExperiment) -> Ranges:
    """Every range that a component of the spec declares for an argument of itself, by the path that sets it.

    Arguments that the data decide have none, nor has a backbone that stays as it is.
    """
    found: Ranges = {}
    for place in _places(checked):
        entry = checked.catalogue.find(place.group, str(place.value.get("kind")))
        for name, given in entry.search_ranges.items() if entry is not None else ():
            value = place.value.get(name)
            if value != "infer" and fact_of(value) is None:
                found[format_path(_setting_place(name, place.path, checked))] = dict(given)
    return found


def _places(checked: CheckedExperiment) -> Iterator[ComponentPlace]:
    frozen: list[Path] = []
    for place in all_component_places(checked.tree, checked.catalogue, fields_of(type(checked.spec))):
        parts = checked.catalogue.frozen_parts(str(place.value.get("kind"))) if place.group == "models" else None
        frozen += [(*place.path, parts.backbone)] if parts is not None else []
        is_kept = any(place.path[: len(path)] == path for path in frozen)
        if place.path[0] in SECTIONS and place.group not in _NOT_SEARCHED and not is_kept:
            yield place


def _setting_place(name: str, component: Path, checked: CheckedExperiment) -> Path:
    """Where an argument is set: in `regularization` where the spec hands it on from there."""
    is_its = name in REGULARIZED and is_handed(name, component)
    if is_its and isinstance(checked.spec, Spec) and getattr(checked.spec.regularization, name) is not None:
        return ("regularization", name)
    return (*component, name)


def default_ranges(
    base: CheckedExperiment, declared: Ranges, given: Collection[str], known: Iterable[Problem]
) -> Ranges:
    """Those of the declared ranges that a search uses.

    Left out is what the search itself gives or takes out (`given`), what the ablation varies, and what would change
    the metric that is optimized. Of what remains, choices that the other fields of the spec do not allow are left out,
    and a range of which they do not allow an end. `known` are the problems of the spec as written.
    """
    ablation = base.spec.ablation
    varied = [*ablation.grid, *ablation.zip, *(path for settings in ablation.features.values() for path in settings)]
    others = [*given, *varied]
    free = {
        path: form
        for path, form in declared.items()
        if not any(is_same_place(path, other) for other in others) and not _moves_target(base, path)
    }
    return _allowed(base, free, known)


def is_same_place(path: str, other: str) -> bool:
    """Whether what is set at one path is set at the other, or by it."""
    return touch(parse_path(path), parse_path(other)) or hands_on(path, other)


def _moves_target(base: CheckedExperiment, path: str) -> bool:
    return isinstance(base, Checked) and moves_target(base, parse_path(path))


def _allowed(base: CheckedExperiment, ranges: Ranges, known: Iterable[Problem]) -> Ranges:
    rules = (*variant_rules(base), *headline_rules(base, frozenset()))
    probe = _Probe(without_ablation(base), rules, tuple(known))
    variants = _searched(base, sum(len(_values(form)) for form in ranges.values()))
    found: Ranges = {}
    for path, form in ranges.items():
        values = _values(form)
        allowed = [value for value in values if all(probe.allows(variant, path, value) for variant in variants)]
        if "choice" in form and len(allowed) > 1:
            found[path] = {**form, "choice": allowed}
        elif "choice" not in form and len(allowed) == len(values):
            found[path] = form
    return found


def _values(form: Mapping[str, Any]) -> list[Any]:
    """The ends of a range, or its choices."""
    values: Any = next((form[name] for name in RANGE_FORMS if name in form), [])
    return list(values) if isinstance(values, list | tuple) else []


def _searched(base: CheckedExperiment, num_values: int) -> list[Variant]:
    """The variants that are searched; the spec as written alone where those of an ablation are too many to try."""
    alone = [Variant("", ())]
    if not base.spec.ablation.features or too_large(base) is not None:
        return alone
    variants = [each for each in design(base.spec.ablation, base.written).variants if is_searched(base.spec, each.name)]
    return variants if len(variants) * num_values <= MAX_PROBES else alone


class _Probe:
    """Sets one value in a variant and looks whether that brings about a mistake that the variant itself has not."""

    def __init__(self, base: CheckedExperiment, rules: tuple[AnyRule, ...], known: Iterable[Problem]) -> None:
        self._base, self._rules = base, rules
        self._known = {(problem.code, problem.path) for problem in known}
        self._of_variants: dict[str, set[tuple[str, Path]]] = {}

    def allows(self, variant: Variant, path: str, value: Any) -> bool:
        if variant.name not in self._of_variants:
            self._of_variants[variant.name] = self._known | self._mistakes(variant.settings)
        setting = Setting(path, list(value) if isinstance(value, tuple) else value, (*SPACE, path))
        return self._mistakes((*variant.settings, setting)) <= self._of_variants[variant.name]

    def _mistakes(self, settings: tuple[Setting, ...]) -> set[tuple[str, Path]]:
        _, problems = resolve_variant(self._base, Variant("", settings), self._rules)
        return {(problem.code, problem.path) for problem in problems if problem.severity == "error"}
