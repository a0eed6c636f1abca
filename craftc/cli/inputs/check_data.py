"""A compiled spec -> what its data, its own code and its trackers show to be wrong, at its values."""

from pathlib import Path

from craftc.cli.inputs.compile_file import CompiledFile
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.plan import Plan


def data_diagnostics(compiled: CompiledFile, plan: Plan, prepared: Path | None = None) -> list[Diagnostic]:
    """For the new trials of `plan`; see preflight."""
    from craftc.runtime.preflight import preflight

    assert compiled.analysis.base is not None
    problems = preflight(plan, compiled.analysis.base.catalogue, prepared, compiled.spec.report.trackers)
    return [
        compiled.document.diagnose(problem.code, problem.path, problem.message, problem.hint, severity=problem.severity)
        for problem in problems
    ]
