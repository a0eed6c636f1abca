"""A spec's variants, each with its own complete spec: resolved, validated and checked as if it were written out.

`exclude` and `require` leave out variants, never the baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from craftc.compiler.ablation_size import max_alone, too_large, too_much
from craftc.compiler.blame import blame, is_changed
from craftc.compiler.checks import Checked, Rule, check
from craftc.compiler.designs import design
from craftc.compiler.leave_out import Filters, unknown_exclude_paths
from craftc.compiler.lower import SECTIONS
from craftc.compiler.parse import MAX_DEPTH
from craftc.compiler.parts import Assembled, Built, Parts
from craftc.compiler.problem import MAX_TOLD, Problem, did_you_mean, one_of
from craftc.compiler.recall import Recalled
from craftc.compiler.resolve import resolve
from craftc.compiler.rules import EXPERIMENT_RULES
from craftc.compiler.tree import Touching, copy_tree, count_values, look_up, set_path
from craftc.compiler.validate import validate
from craftc.compiler.variant import Setting, Variant
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


def expand(base: Checked, base_problems: list[Problem]) -> Expansion:
    """Resolve, validate and check every variant, telling each mistake once, where the ablation makes it."""
    ablation = base.spec.ablation
    problem = too_large(base)
    if problem is not None:
        return Expansion((), [problem])
    known = {(problem.code, problem.path, problem.message) for problem in base_problems}
    told: dict[tuple[str, Path, str], Problem] = {}
    resolved: list[ResolvedVariant] = []
    filters = Filters(ablation)
    designed = design(ablation)
    num_errors, num_alone, most_alone = 0, 0, max_alone(base)
    parts = _parts(base, designed.variants, base_problems)
    rules = [Recalled(partial(_broken, rule)) for rule in EXPERIMENT_RULES]
    for variant in designed.variants:
        source: Checked | Assembled | None = parts.assemble(variant) if parts is not None else None
        if not variant.settings:  # what is wrong with it is told already
            own = base.spec.changed(ablation=Ablation())
            resolved.append(ResolvedVariant(variant, source or Checked(own, base.tree, base.written, base.catalogue)))
            continue
        if parts is None or source is None:
            source, found = resolve_variant(base, variant)
            num_alone += 1
            if num_alone > most_alone:
                return Expansion((), [too_much(len(designed.variants), count_values(base.written))])
        else:
            found = [*parts.root.validated.problems, *(problem for rule in rules for problem in rule(source))]
        num_errors += sum(problem.severity == "error" for problem in found)
        for problem in islice(found, 2 * MAX_TOLD):
            inherited = (problem.code, problem.path, problem.message) in known
            if not (inherited and not is_changed(problem, variant, base.tree)):
                placed = blame(problem, variant, base.tree)
                # What cannot be checked is said once, however many values of a factor meet it.
                where = () if problem.severity == "note" else placed.path
                told.setdefault((placed.code, where, problem.message), placed)
        if num_errors > 2 * MAX_TOLD:
            return Expansion((), list(told.values()))
        if source is not None and not filters.leaves_out(variant, source):
            resolved.append(ResolvedVariant(variant, source))
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


def _parts(base: Checked, variants: Sequence[Variant], base_problems: list[Problem]) -> Parts | None:
    """What the variants are put together from; None where each has to be made by itself."""
    if len(variants) < FEW or any(problem.severity == "error" for problem in base_problems):
        return None
    return Parts(base, variants, partial(_build, base))


def _broken(rule: Rule, checked: Checked) -> tuple[Problem, ...]:
    return tuple(rule(checked))


def resolve_variant(base: Checked, variant: Variant) -> tuple[Checked | None, list[Problem]]:
    """What the rules look at of a variant, and what is wrong with it."""
    built = _build(base, variant)
    validated = built.validated
    problems = [*built.unsettable, *validated.problems]
    if validated.spec is None:
        return None, problems
    checked = Checked(validated.spec, validated.tree, built.written, base.catalogue)
    return checked, problems + untainted(check(checked, EXPERIMENT_RULES), validated.tainted)


def _build(base: Checked, variant: Variant) -> Built:
    """A variant resolved and validated by itself."""
    written = {key: copy_tree(value) for key, value in base.written.items() if key != "ablation"}
    # The widest first, so that `model` and `model.dropout` can be set together in whatever order they are written.
    unsettable: list[Problem] = []
    for setting in sorted(variant.settings, key=lambda setting: len(setting.target)):
        problem = _not_settable(setting)
        _write_default_lists(written, setting.target, base.tree)
        if problem is None and not set_path(written, setting.target, copy_tree(setting.value)):
            problem = Problem("unknown-factor", setting.target, f'there is no "{setting.path}" to set')
        if problem is not None:
            unsettable.append(problem)
    written = resolve(written)
    return Built(written, validate(written, base.catalogue), tuple(unsettable))


def _write_default_lists(written: dict[str, Any], target: Path, complete: dict[str, Any]) -> None:
    """Write out a list that is left to its default where a path leads into it: `training.optimizer.betas.0`."""
    for length in (i for i, part in enumerate(target) if isinstance(part, int)):
        try:
            default = look_up(complete, target[:length])
        except KeyError:
            return
        if isinstance(default, list) and not _is_there(written, target[:length]):
            set_path(written, target[:length], copy_tree(default))


def _is_there(tree: dict[str, Any], path: Path) -> bool:
    try:
        look_up(tree, path)
    except KeyError:
        return False
    return True


def _not_settable(setting: Setting) -> Problem | None:
    """Only what decides a result can be varied."""
    section = setting.target[0]
    if len(setting.target) > MAX_DEPTH:
        message = f"this path is {len(setting.target):,} keys long; no spec is that deep"
        return Problem("unknown-factor", setting.target, message)
    if section in SECTIONS:
        return None
    if section in Spec.fields:
        message = f'"{setting.path}" cannot be varied: it makes no other experiment'
        hint = "ablation.seeds says how many replicates there are" if section == "seed" else None
    else:
        message = f'there is no "{setting.path}" to set'
        hint = did_you_mean(str(section), SECTIONS) or f"a path begins with {one_of(sorted(SECTIONS))}"
    return Problem("unknown-factor", setting.target, message, hint)


def untainted(problems: list[Problem], tainted: frozenset[Path]) -> list[Problem]:
    """The problems that do not stand on a mistaken value."""
    if not tainted:
        return problems
    bad = Touching(tainted)
    return [p for p in problems if not any(path in bad for path in (p.path, *p.reads))]
