"""A compiled spec -> what its data, its own code and its trackers show to be wrong, at its values."""

from pathlib import Path
from typing import TYPE_CHECKING

from craftc.cli.inputs.compile_file import CompiledFile
from craftc.compiler.reading.problem import Problem
from craftc.compiler.variants.blame import blame_alone
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.plan import Plan

if TYPE_CHECKING:
    from craftc.runtime.preflight import DataProblem


def data_diagnostics(compiled: CompiledFile, plan: Plan, prepared: Path | None = None) -> list[Diagnostic]:
    """For the new trials of `plan`; see preflight."""
    from craftc.runtime.preflight import preflight

    assert compiled.analysis.base is not None
    problems = preflight(plan, compiled.analysis.base.catalogue, prepared, compiled.spec.report)
    return [_placed(problem, compiled).place(compiled.document) for problem in problems]


def _placed(found: "DataProblem", compiled: CompiledFile) -> Problem:
    """The problem at the value of the ablation that brings it about, with the name of the variant."""
    problem = Problem(found.code, found.path, found.message, found.hint, severity=found.severity)
    variant = next((each.variant for each in compiled.analysis.variants if each.name == found.variant), None)
    base = compiled.analysis.base
    return problem if variant is None or base is None else blame_alone(problem, variant, base.tree)
