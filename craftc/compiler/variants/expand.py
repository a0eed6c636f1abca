"""Make a spec's variants: each is resolved, validated and checked as if it were written out.

`exclude` and `require` leave out variants, never the baseline.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from craftc.compiler.checking.rules.all_rules import variant_rules
from craftc.compiler.checking.rules.headline import headline_rules
from craftc.compiler.checking.rules.rule import CheckedExperiment
from craftc.compiler.checking.validate import Validated
from craftc.compiler.reading.problem import MAX_TOLD, Problem
from craftc.compiler.variants.ablation_size import too_large
from craftc.compiler.variants.blame import blame, follows, is_changed, lacking, told_at
from craftc.compiler.variants.designs import design
from craftc.compiler.variants.filters import VariantFilters, unknown_exclude_paths
from craftc.compiler.variants.idle_variants import idle_variants
from craftc.compiler.variants.listed_twice import without_repeat
from craftc.compiler.variants.resolve_variant import ResolvedVariant, resolve_variant, without_ablation
from craftc.compiler.variants.variant import Variant
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import Ablation


@dataclass(frozen=True)
class Expansion:
    """All variants that can be trained, and what is wrong with the others."""

    variants: tuple[ResolvedVariant, ...]
    problems: list[Problem]


def expand(base: CheckedExperiment, validated: Validated, base_problems: list[Problem]) -> Expansion:
    """Resolve, validate and check every variant; report each mistake once, at the setting that brings it about.

    `validated` is what `base` was made of, `base_problems` are the problems of the spec as written.
    """
    ablation = base.spec.ablation
    problem = too_large(base)
    if problem is not None:
        return Expansion((), [problem])
    designed = design(ablation, base.written)
    if len(designed.problems) > MAX_TOLD:
        return Expansion((), list(designed.problems))
    start = without_ablation(base)
    rules = variant_rules(base) + headline_rules(base, validated.tainted)
    found = VariantProblems(base, base_problems)
    filters = VariantFilters(ablation)
    resolved: list[ResolvedVariant] = []
    for variant in designed.variants:
        if not variant.settings:  # the spec as written, whose problems are known
            resolved.append(ResolvedVariant(variant, start))
            continue
        checked, problems = resolve_variant(start, variant, rules, validated.tainted)
        is_possible = all(problem.severity != "error" for problem in problems)
        if not is_possible and checked is not None and filters.leave_out(variant, checked, is_possible=False):
            continue  # a grid whose impossible points are left out has the others
        found.add(variant, problems)
        if found.is_full:
            return Expansion((), found.problems)
        if checked is not None and not filters.leave_out(variant, checked):
            resolved.append(ResolvedVariant(variant, checked))
    unreadable = {problem.path for problem in base_problems if problem.code == "bad-expression"}
    failed = [problem for problem in filters.failed() if problem.path not in unreadable]
    unknown = islice(unknown_exclude_paths(base), MAX_TOLD + 1)
    problems = [*designed.problems, *found.problems, *failed, *unknown]
    if all(problem.severity == "note" for problem in problems):
        is_unmet = any(problem.code == "requirement-unmet" for problem in base_problems)
        problems += () if is_unmet else _without_effect(ablation, resolved, filters)
        if all(problem.severity != "error" for problem in base_problems):
            problems += islice(idle_variants(base, start, resolved, base_problems), MAX_TOLD + 1)
    return Expansion(tuple(resolved), problems)


def _without_effect(ablation: Ablation, resolved: list[ResolvedVariant], filters: VariantFilters) -> list[Problem]:
    """What `exclude` and `require` leave out too much of, or nothing."""
    if len(resolved) == 1 and (ablation.features or ablation.grid or ablation.zip):
        message = "exclude and require leave no variant but the spec as written"
        return [Problem("nothing-left", ("ablation",), message, at_key=True)]
    return list(filters.unmatched())


class VariantProblems:
    """The problems of variants, each once and at the setting that brings it about, without those of the spec as
    written."""

    def __init__(self, base: CheckedExperiment, base_problems: Iterable[Problem]) -> None:
        base_problems = list(base_problems)
        self._tree, self._written = base.tree, base.written
        self._known = {(problem.code, problem.path, problem.message) for problem in base_problems}
        self._lacking = lacking(base_problems)
        self._reported: dict[tuple[str, Path, str], Problem] = {}
        self._num_errors = 0

    @property
    def problems(self) -> list[Problem]:
        """All problems so far."""
        return list(self._reported.values())

    @property
    def is_full(self) -> bool:
        """Whether there are more errors than are reported."""
        return self._num_errors > 2 * MAX_TOLD

    def add(self, variant: Variant, problems: list[Problem]) -> None:
        """Add the problems of one variant."""
        self._num_errors += sum(problem.severity == "error" for problem in problems)
        for problem in islice(problems, 2 * MAX_TOLD):
            if len(self._reported) > 2 * MAX_TOLD and problem.severity != "error":
                continue
            inherited = (problem.code, problem.path, problem.message) in self._known
            if inherited and not is_changed(problem, variant, self._tree):
                continue
            if not follows(problem, variant, self._tree, self._lacking):
                placed = without_repeat(blame(problem, variant, self._tree), self._written)
                self._reported.setdefault((placed.code, told_at(placed), problem.message), placed)
