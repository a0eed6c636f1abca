"""A spec's variants, each with its own complete spec: resolved, validated and checked as if it were written out.

`exclude` and `require` leave out variants, never the baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from craftc.compiler.checking.resolve import resolve
from craftc.compiler.checking.rules.all_rules import EXPERIMENT_RULES
from craftc.compiler.checking.rules.headline import headline_rules
from craftc.compiler.checking.rules.rule import Checked, Rule, check
from craftc.compiler.checking.validate import Validated, validate
from craftc.compiler.reading.problem import MAX_TOLD, Problem
from craftc.compiler.reading.tree import Touching, copy_tree, count_values
from craftc.compiler.variants.ablation_size import max_alone, too_large, too_many_rules, too_much
from craftc.compiler.variants.apply_settings import apply_settings
from craftc.compiler.variants.blame import blame, follows, is_changed, lacking, told_at
from craftc.compiler.variants.designs import design
from craftc.compiler.variants.filters import Filters, unknown_exclude_paths
from craftc.compiler.variants.parts import Assembled, Built, Parts
from craftc.compiler.variants.recall import Recalled
from craftc.compiler.variants.revise import revise
from craftc.compiler.variants.variant import Variant
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import Ablation, Spec

FEW = 4
"""Variants below which it is quicker to make each by itself."""


@dataclass(frozen=True, slots=True)
class ResolvedVariant:
    """A variant with its own complete spec; `spec.ablation` is empty in it."""

    variant: Variant
    source: Checked | Assembled

    @property
    def spec(self) -> Spec:
        """The variant's own."""
        return self.source.spec

    @property
    def name(self) -> str:
        """The variant's name, unique in its spec."""
        return self.variant.name

    @property
    def overrides(self) -> dict[str, Any]:
        """What it sets, path to value."""
        return {setting.path: setting.value for setting in self.variant.settings}


@dataclass(frozen=True)
class Expansion:
    """All variants that can be trained, and what is wrong with the others."""

    variants: tuple[ResolvedVariant, ...]
    problems: list[Problem]


def expand(base: Checked, validated: Validated, base_problems: list[Problem]) -> Expansion:
    """Resolve, validate and check every variant, telling each mistake once, where the ablation makes it.

    `validated` is what `base` was made of.
    """
    ablation = base.spec.ablation
    problem = too_large(base)
    if problem is not None:
        return Expansion((), [problem])
    known = {(problem.code, problem.path, problem.message) for problem in base_problems}
    absent = lacking(base_problems)
    told: dict[tuple[str, Path, str], Problem] = {}
    resolved: list[ResolvedVariant] = []
    filters = Filters(ablation)
    designed = design(ablation, base.written)
    if len(designed.problems) > MAX_TOLD:
        return Expansion((), list(designed.problems))
    num_errors, num_alone, most_alone = 0, 0, max_alone(base)
    parts = make_parts(base, validated, designed.variants)
    rules = EXPERIMENT_RULES + headline_rules(base, validated.tainted)
    broken = RecalledRules(rules)
    for variant in designed.variants:
        assembled = parts.assemble(variant) if parts is not None else None
        source: Checked | Assembled | None = assembled
        if not variant.settings:  # what is wrong with it is told already
            own = base.spec.changed(ablation=Ablation())
            resolved.append(ResolvedVariant(variant, source or Checked(own, base.tree, base.written, base.catalogue)))
            continue
        if parts is None or assembled is None:
            source, found = resolve_variant(base, variant, rules)
            num_alone += 1
            if num_alone > most_alone and any(problem.severity == "error" for problem in validated.problems):
                return Expansion((), list(told.values()))  # they are looked at again when the values are mended
            if num_alone > most_alone:
                return Expansion((), [too_much(len(designed.variants), count_values(base.written))])
        else:
            found = [*parts.root.validated.problems, *broken(assembled)]
        num_errors += sum(problem.severity == "error" for problem in found)
        for problem in islice(found, 2 * MAX_TOLD):
            if len(told) > 2 * MAX_TOLD and problem.severity != "error":
                continue
            inherited = (problem.code, problem.path, problem.message) in known
            if inherited and not is_changed(problem, variant, base.tree):
                continue
            if not follows(problem, variant, base.tree, absent):
                placed = blame(problem, variant, base.tree)
                told.setdefault((placed.code, told_at(placed), problem.message), placed)
        if num_errors > 2 * MAX_TOLD:
            return Expansion((), list(told.values()))
        if source is not None and not filters.leaves_out(variant, source):
            resolved.append(ResolvedVariant(variant, source))
        if filters.is_spent:
            return Expansion((), [*told.values(), too_many_rules(ablation, len(designed.variants))])
    unreadable = {problem.path for problem in base_problems if problem.code == "bad-expression"}
    failed = [problem for problem in filters.problems() if problem.path not in unreadable]
    problems = [*designed.problems, *told.values(), *failed, *islice(unknown_exclude_paths(base), MAX_TOLD + 1)]
    if any(problem.severity != "note" for problem in problems):
        return Expansion(tuple(resolved), problems)
    if len(resolved) == 1 and _asks_for_more(ablation):
        message = "exclude and require leave no variant but the spec as written"
        return Expansion(tuple(resolved), [*problems, Problem("nothing-left", ("ablation",), message, at_key=True)])
    return Expansion(tuple(resolved), [*problems, *filters.idle()])


def _asks_for_more(ablation: Ablation) -> bool:
    return bool(ablation.features or ablation.grid or ablation.zip)


def make_parts(base: Checked, validated: Validated, variants: Sequence[Variant]) -> Parts | None:
    """What the variants are put together from; None where each has to be made by itself."""
    if len(variants) < FEW or any(problem.severity != "note" for problem in validated.problems):
        return None
    own = base.spec.changed(ablation=Ablation())
    root = Built(base.written, replace(validated, spec=own))
    return Parts(base, variants, root, partial(_build, base), partial(revise, base))


class RecalledRules:
    """The rules between fields, each asked once of all variants that are alike to it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [Recalled(partial(_broken, rule)) for rule in rules]
        self._is_new = True

    def __call__(self, variant: Assembled) -> list[Problem]:
        """What the variant breaks."""
        found = [problem for rule in self._rules for problem in rule(variant)]
        if self._is_new:  # most rules have nothing to do with what varies
            self._rules = [rule for rule in self._rules if not rule.is_always(())]
            self._is_new = False
        return found


def _broken(rule: Rule, checked: Checked) -> tuple[Problem, ...]:
    return tuple(rule(checked))


def resolve_variant(
    base: Checked, variant: Variant, rules: tuple[Rule, ...] = EXPERIMENT_RULES
) -> tuple[Checked | None, list[Problem]]:
    """What the rules look at of a variant, and what is wrong with it."""
    built = _build(base, variant)
    validated = built.validated
    problems = [*built.unsettable, *validated.problems]
    if validated.spec is None:
        return None, problems
    checked = Checked(validated.spec, validated.tree, built.written, base.catalogue)
    return checked, problems + untainted(check(checked, rules), validated.tainted)


def _build(base: Checked, variant: Variant) -> Built:
    """A variant resolved and validated by itself."""
    written = {key: copy_tree(value) for key, value in base.written.items() if key != "ablation"}
    unsettable = apply_settings(written, variant, base.tree)
    written = resolve(written)
    return Built(written, validate(written, base.catalogue), unsettable)


def untainted(problems: list[Problem], tainted: frozenset[Path]) -> list[Problem]:
    """The problems that do not stand on a mistaken value."""
    if not tainted:
        return problems
    bad = Touching(tainted)
    return [p for p in problems if not any(path in bad for path in (p.path, *p.reads))]
