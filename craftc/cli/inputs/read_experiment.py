"""One side of a comparison: the spec or the run that the user names."""

from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from craftc.cli.inputs.compile_file import compile_file
from craftc.cli.inputs.read_spec import read_spec
from craftc.cli.show_damaged import NOT_FINISHED, tell_of_damaged
from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.recorded_metrics import selection
from craftc.report.diff_experiments import Experiment
from craftc.report.read_run import RunUnreadableError, read_run
from craftc.report.read_search import read_search
from craftc.runtime.store.run_folder import find_run
from craftc.schemas import spec as specs
from craftc.schemas.comparison import Side
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.plan import Plan, variant_trials
from craftc.schemas.section import as_tree
from craftc.training.foundation.seal import DamagedError, unsealed


def read_experiment(text: str, runs_dir: Path) -> Experiment:
    """A file is a spec; all else a run's folder, NAME/RUN or NAME. Raises Exit(1) on a spec's mistakes, 2 where
    there is neither."""
    if Path(text).is_file():
        return _read_spec(Path(text), runs_dir)
    try:
        return read_run_as_experiment(find_run(text, runs_dir))
    except (FileNotFoundError, RunUnreadableError) as error:
        no_file = f'no file "{text}", and ' if isinstance(error, FileNotFoundError) else ""
        click.echo(f"{no_file}{error}", err=True)
        raise Exit(2) from None


def _read_spec(path: Path, runs_dir: Path) -> Experiment:
    compiled = compile_file(path, runs_dir)
    trials = compiled.plan.trials
    finished = frozenset(trial.id for trial in trials if trial.status == "reused")
    side = Side(
        kind="spec",
        label=str(path),
        name=compiled.plan.name,
        num_trials=len(trials),
        num_finished=len(finished),
    )
    return Experiment(side, compiled.plan, _fields(compiled.spec, compiled.plan), finished)


def read_run_as_experiment(folder: Path) -> Experiment:
    """A run by its folder. Raises RunUnreadableError."""
    # Lazily: statistics need scipy, and a spec does not.
    from craftc.report.conclude import conclude
    from craftc.report.diff_conclusions import ConcludedRun

    damaged: list[str] = []
    plan, results, failures = read_run(folder, damaged.append)
    search = read_search(folder, damaged.append)
    tell_of_damaged(damaged, NOT_FINISHED)
    run = ConcludedRun(plan, conclude(plan, results, failures, search), search)
    side = Side(
        kind="run",
        label=f"{folder.resolve().parent.name}/{folder.name}",
        name=plan.name,
        num_trials=len(plan.trials),
        num_finished=len(results),
    )
    spec, why_not = _spec_of_run(folder)
    return Experiment(side, plan, None if spec is None else _fields(spec, plan), frozenset(results), why_not, run)


def _spec_of_run(folder: Path) -> tuple[specs.Experiment | None, str]:
    """The spec as the run kept it, or why it cannot be read: files that it names may not be where they were.

    The resolved one names none, where there is one.
    """
    resolved = folder / "spec.resolved.yaml"
    path = resolved if resolved.is_file() else folder / "spec.yaml"
    text = read_spec(path)
    if isinstance(text, Diagnostic):
        return None, f"{path.name} {text.message}"
    try:
        text = unsealed(text.encode()).content.decode()
    except DamagedError as error:
        return None, f"its {path.name} {error}"
    analysis = analyse(text, str(path), built_in_catalogue())
    # Runs of earlier days wrote how they were tracked elsewhere, which is no field to compare.
    errors = [d for d in analysis.diagnostics if d.severity == "error" and d.code != "moved-key"]
    if analysis.spec is None or analysis.kind != "spec" or errors:
        first = errors[0] if errors else None
        return None, f"its {path.name} is no longer valid{f': {first.message}' if first else ''}"
    return analysis.spec, ""


def _fields(spec: specs.Experiment, plan: Plan) -> dict[str, Any]:
    """Every field with its value, written, default or from a file that the spec names; which file is no field."""
    fields = as_tree(spec)
    fields.pop("extends", None)
    if isinstance(fields["search"], dict):
        fields["search"].pop("use", None)
    # The same file whatever folder its path starts from.
    as_written = (variant_trials(plan).get(plan.baseline) or plan.trials)[0].config
    if not isinstance(spec, specs.Spec):
        return fields | {"program": as_written["program"]}
    fields["data"]["source"] = as_written["data"]["source"]
    # Left out and "none" are one value in the model, and two things in training.
    select = selection(spec)
    fields["evaluation"]["select"] = "none" if select is None else as_tree(select)
    return fields
