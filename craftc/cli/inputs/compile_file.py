"""Compiles a spec's file; where that fails, shows the diagnostics and ends the command with 1."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.exceptions import Exit

from craftc.cli.inputs.read_spec import read_spec
from craftc.cli.show_damaged import COUNTS_AS_NEW, tell_of_damaged, tell_of_unsealed
from craftc.cli.show_diagnostics import show_diagnostics, summary
from craftc.compiler.analyse import Analysis, analyse
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.own_code.import_path import import_folders
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.identity.weights import Trained
from craftc.compiler.reading.document import Document
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.forecast import Machine
from craftc.schemas.plan import Plan
from craftc.schemas.spec import Experiment

if TYPE_CHECKING:
    from craftc.runtime.store.file_digests import FileDigests


@dataclass(frozen=True)
class CompiledFile:
    """A valid spec: its text, its tree with positions, and its plan; `digests` are those of the files that it names,
    `trained` knows the trials of the store."""

    text: str
    document: Document
    spec: Experiment
    plan: Plan
    analysis: Analysis
    digests: "FileDigests"
    trained: Trained

    @property
    def texts(self) -> dict[str, str]:
        """The texts of the spec and of the files that it includes, by their names."""
        return {self.document.filename: self.text, **self.analysis.fragments}

    def all_new(self) -> Plan:
        """The plan as if the store held nothing."""
        new = tuple(trial.model_copy(update={"status": "new"}) for trial in self.plan.trials)
        return self.plan.model_copy(update={"trials": new})


def compile_file(
    path: Path,
    runs_dir: Path,
    *,
    machine: Machine | None = None,
    runs_here: bool = True,
    concurrent: int | None = None,
    kept: str | None = None,
) -> CompiledFile:
    """Compile the spec at a path, or a text that was `kept` of it, against the store beneath `runs_dir`, for a machine.
    Raises Exit(1) on mistakes; see compile_spec."""
    text = read_spec(path) if kept is None else kept
    if isinstance(text, Diagnostic):
        fail([text], {})
    from craftc.runtime.store.batch_findings import findings_in
    from craftc.runtime.store.store import Store
    from craftc.runtime.store.trained_weights import trained_trials

    store = Store(runs_dir / "store")
    digests, trained = store.file_digests(), trained_trials(store)
    damaged: list[str] = []
    old: set[str] = set()
    compiled = compile_spec(
        text,
        str(path),
        built_in_catalogue(),
        store.finished_of_many(damaged.append, old.add),
        environment=os.environ,
        file_digest=digests,
        trained=trained,
        machine=machine,
        runs_here=runs_here,
        concurrent=concurrent,
        finding_of=findings_in(store, tuple(map(str, import_folders(path)))),
        finished_with=store.finished_with(),
    )
    digests.save()
    texts = {str(path): text, **compiled.analysis.fragments}
    analysis = compiled.analysis
    if compiled.plan is None or analysis.spec is None or analysis.document is None:
        fail(list(compiled.diagnostics), texts)
    show_diagnostics(compiled.diagnostics, texts, sys.stderr)
    tell_of_damaged(damaged, COUNTS_AS_NEW)
    tell_of_unsealed(len(old))
    return CompiledFile(text, analysis.document, analysis.spec, compiled.plan, analysis, digests, trained)


def analyse_file(path: Path) -> tuple[Experiment, Analysis]:
    """The spec at a path, whatever only its data would show aside. Raises Exit(1) on mistakes."""
    text = read_spec(path)
    if isinstance(text, Diagnostic):
        fail([text], {})
    analysis = analyse(text, str(path), built_in_catalogue(), environment=os.environ)
    texts = {str(path): text, **analysis.fragments}
    if not analysis.is_valid or analysis.spec is None:
        fail(list(analysis.diagnostics), texts)
    show_diagnostics(analysis.diagnostics, texts, sys.stderr)
    return analysis.spec, analysis


def fail(diagnostics: list[Diagnostic], texts: dict[str, str]) -> NoReturn:
    """Show diagnostics on standard error and end with 1."""
    show_diagnostics(diagnostics, texts, sys.stderr)
    click.echo(summary(diagnostics), err=True)
    raise Exit(1)
