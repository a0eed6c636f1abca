"""Resolve, validate and check one variant, as if its spec were written out.

Only the sections that the variant sets are copied, resolved and validated. The others, and the components in them that
the variant does not set, are those of the spec as written.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from craftc.compiler.checking.resolve import resolve_sections
from craftc.compiler.checking.rules.fields import CONSTRAINTS
from craftc.compiler.checking.rules.rule import AnyRule, CheckedExperiment, check, checked_experiment
from craftc.compiler.checking.validate import validate
from craftc.compiler.language.component_fields import EACH, fields_of
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import Touching, copy_tree, touch
from craftc.compiler.variants.apply_settings import apply_settings
from craftc.compiler.variants.variant import Variant
from craftc.schemas.diagnostic import Path
from craftc.schemas.language import sections_of
from craftc.schemas.section import Section, as_tree
from craftc.schemas.spec import Ablation, Experiment

NOTHING_TAINTED: frozenset[Path] = frozenset()


@dataclass(frozen=True, slots=True)
class ResolvedVariant:
    """A variant with its own complete spec, whose `ablation` is empty."""

    variant: Variant
    checked: CheckedExperiment

    @property
    def spec(self) -> Experiment:
        """The variant's spec."""
        return self.checked.spec

    @property
    def name(self) -> str:
        """The variant's name, unique in its spec."""
        return self.variant.name

    @property
    def overrides(self) -> dict[str, Any]:
        """The values that it sets, by path."""
        return {setting.path: setting.value for setting in self.variant.settings}


def without_ablation(base: CheckedExperiment) -> CheckedExperiment:
    """The spec as written without its ablation: what variants are made of."""
    empty = Ablation()
    # What is none of its sections is reported once, and not again of each variant.
    written = {name: value for name, value in base.written.items() if name in base.spec.fields and name != "ablation"}
    tree = {**base.tree, "ablation": as_tree(empty)}
    return checked_experiment(base.spec.changed(ablation=empty), tree, written, base.catalogue, base.folder)


def resolve_variant(
    base: CheckedExperiment, variant: Variant, rules: tuple[AnyRule, ...], tainted: Set[Path] = NOTHING_TAINTED
) -> tuple[CheckedExperiment | None, list[Problem]]:
    """The variant, or None where it cannot be repaired, and all its problems.

    `base` is the spec without its ablation. `tainted` are the places of it that were repaired: problems that rest on
    them are not reported.
    """
    set_here = {str(setting.target[0]) for setting in variant.settings}.intersection(sections_of(base.tree))
    written = {name: copy_tree(value) if name in set_here else value for name, value in base.written.items()}
    unsettable = apply_settings(written, variant, base.tree)
    resolve_sections(written, set_here)
    kept = _untouched(base.spec, variant, set_here)
    validated = validate(written, base.catalogue, kept)
    problems = [*unsettable, *validated.problems]
    if validated.spec is None:
        return None, problems
    sections = {name: getattr(validated.spec, name) for name in set_here}
    tree = {**base.tree, **{name: as_tree(section) for name, section in sections.items()}}
    checked = checked_experiment(base.spec.changed(**sections), tree, written, base.catalogue, base.folder)
    mistaken = validated.tainted.union(path for path in tainted if path[:1] in kept or path[:2] in kept)
    broken = check(checked, (*rules, *(CONSTRAINTS[name] for name in set_here if name in CONSTRAINTS)))
    return checked, problems + untainted(broken, mistaken)


def _untouched(spec: Experiment, variant: Variant, set_here: Set[str]) -> dict[Path, Any]:
    """The sections that a variant does not set, and in the others the components that it does not set, by place."""
    kept: dict[Path, Any] = {}
    for name in spec.fields:
        if name not in set_here and isinstance(section := getattr(spec, name), Section):
            kept[name,] = section
    for field in fields_of(type(spec)):
        section, *rest = field.path
        if section not in set_here or not rest or EACH in rest:
            continue  # those at keys of the user's own are few, and looked at again
        if not any(touch(field.path, setting.target) for setting in variant.settings):
            components = getattr(getattr(spec, str(section)), str(rest[0]))
            if not field.by_name:
                kept[field.path] = list(components) if field.many else components
            elif components:
                # An empty mapping would stand for what is not given at all.
                kept[field.path] = {n: list(each) if field.many else each for n, each in components.items()}
    return kept


def untainted(problems: list[Problem], tainted: Set[Path]) -> list[Problem]:
    """The problems that do not rest on a repaired value."""
    if not tainted:
        return problems
    bad = Touching(tainted)
    return [p for p in problems if not any(path in bad for path in (p.path, *p.reads))]
