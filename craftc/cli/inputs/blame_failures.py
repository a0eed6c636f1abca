"""Failures of trials that were tried -> diagnostics at the values of the spec that cause them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from craftc.cli.inputs.compile_file import CompiledFile
from craftc.cli.show_diagnostics import count
from craftc.compiler.reading.document import SPACE
from craftc.compiler.reading.problem import Problem
from craftc.compiler.variants.blame import blame
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.diagnostic import Diagnostic, Path, parse_path
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFailed, TrialWarning
from craftc.schemas.section import as_tree

_PLACES: dict[str, str] = {
    "objective": "objective",
    "teacher": "objective",
    "metric": "objective.metrics",
    "metrics": "objective.metrics",
    "optimizer": "training.optimizer",
    "nan": "training.optimizer",
    "schedule": "training.schedule",
    "value": "training.values",
    "values": "training.values",
    "augmentation": "data.augment",
    "augmentations": "data.augment",
    "normalizer": "data.normalize",
    "source": "data.source",
    "program": "program",
    "data": "data.source",
    "out": "training.batch_size",
    "precision": "training.precision",
    "not": "training",
    "parameter": "training.groups",
    "micro": "resources.micro_batch",
    "views": "evaluation.passes",
    "unknown": "evaluation.passes",
    "after": "evaluation.after",
}
"""By the first word of a code, the part of the spec that it speaks of; every other is of the model."""


def blame_failures(
    compiled: CompiledFile, failures: Sequence[TrialFailed], hint: str, corners: Sequence[Trial] = ()
) -> list[Diagnostic]:
    """One diagnostic for each different failure, in the order of the plan, `corners` of its search after it. The first
    variant that fails is named, and how many fail alike."""
    order = {trial.id: number for number, trial in enumerate([*compiled.plan.trials, *corners])}
    alike: dict[tuple[str, str], list[str]] = {}
    for failure in sorted(failures, key=lambda failure: order[failure.trial]):
        alike.setdefault((failure.code, failure.message), []).append(failure.trial)
    return [
        _diagnostic(compiled, trials, corners, Problem(code, _place(code, compiled), message, hint or None))
        for (code, message), trials in alike.items()
    ]


def blame_warnings(
    compiled: CompiledFile, warnings: Mapping[str, TrialWarning], corners: Sequence[Trial] = ()
) -> list[Diagnostic]:
    """Of what else was seen of trials, by their ids; what is said of several, once."""
    alike: dict[tuple[str, str], list[str]] = {}
    for trial, warning in warnings.items():
        alike.setdefault((warning.code, warning.message), []).append(trial)
    return [
        _diagnostic(compiled, trials, corners, Problem(code, _place(code, compiled), message, None, severity="warning"))
        for (code, message), trials in alike.items()
    ]


def _diagnostic(
    compiled: CompiledFile, trials: Sequence[str], corners: Sequence[Trial], problem: Problem
) -> Diagnostic:
    """A problem that trials have in common, at the value that makes the variant of the first."""
    corner = next((trial for trial in corners if trial.id == trials[0]), None)
    variant = _variant(compiled.plan.trial(trials[0]), compiled) if corner is None else _at_corner(corner, compiled)
    placed = blame(problem, variant, as_tree(compiled.spec))
    name = f'variant "{variant.name}": '
    others = f" (and {count(len(trials) - 1, 'other variant')})" if len(trials) > 1 else ""
    message = f"{name if variant.settings else ''}{problem.message}{others}"
    return replace(placed, message=message, hint=problem.hint).place(compiled.document)


def _variant(trial: Trial, compiled: CompiledFile) -> Variant:
    """The variant of a trial with the fewest settings: of several names the simplest."""
    names = (trial.variant, *trial.aliases)
    named = (each.variant for each in compiled.analysis.variants if each.name in names)
    return min(named, key=lambda variant: len(variant.settings), default=Variant(trial.variant, ()))


def _at_corner(trial: Trial, compiled: CompiledFile) -> Variant:
    """The values of a point, at the ranges that hold them, as a variant."""
    space = compiled.spec.search.space if compiled.spec.search is not None else {}
    searched = tuple(Setting(path, value, (*SPACE, path)) for path, value in trial.overrides.items() if path in space)
    return Variant(trial.variant, searched)


def _place(code: str, compiled: CompiledFile) -> Path:
    """The part of the spec that a code speaks of."""
    path = parse_path(_PLACES.get(code.partition("-")[0], "model"))
    return path if _is_written(path, compiled) else path[:1]


def _is_written(path: Path, compiled: CompiledFile) -> bool:
    value = compiled.document.root.plain()
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
