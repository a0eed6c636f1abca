"""What a rule between fields is asked of, and what it answers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from craftc.compiler.language.taken_out import all_as_written, places_of
from craftc.compiler.reading.problem import MAX_TOLD, Problem
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.program_spec import ProgramSpec
from craftc.schemas.spec import Experiment, Spec


@dataclass(frozen=True)
class CheckedExperiment:
    """What the rules of every spec look at: the spec, the same as plain values, and the tree as written, components
    spelled out.

    `folder` is what relative paths start from; None where no file may be looked at.
    """

    spec: Experiment
    tree: dict[str, Any]
    written: dict[str, Any]
    catalogue: Catalogue
    folder: str | None = None


@dataclass(frozen=True)
class Checked(CheckedExperiment):
    """What the rules of a spec that craftc trains by look at."""

    spec: Spec


@dataclass(frozen=True)
class CheckedProgram(CheckedExperiment):
    """What the rules of a spec that a program trains by look at."""

    spec: ProgramSpec


def checked_experiment(
    spec: Experiment, tree: dict[str, Any], written: dict[str, Any], catalogue: Catalogue, folder: str | None = None
) -> CheckedExperiment:
    """What the rules of its kind of spec look at."""
    if isinstance(spec, ProgramSpec):
        return CheckedProgram(spec, tree, written, catalogue, folder)
    assert isinstance(spec, Spec)
    return Checked(spec, tree, written, catalogue, folder)


def gives_embeddings(checked: Checked) -> bool:
    """Whether the model gives embeddings, and no predictions of the target."""
    entries = [checked.catalogue.find("objectives", str(o.kind)) for o in checked.spec.objective.summands.values()]
    return checked.spec.data.views > 1 or any(entry is not None and entry.takes_outputs for entry in entries)


Rule = Callable[[Checked], Iterator[Problem]]
"""Of a spec that craftc trains by."""
ExperimentRule = Callable[[CheckedExperiment], Iterator[Problem]]
"""Of every spec, whatever trains."""
ProgramRule = Callable[[CheckedProgram], Iterator[Problem]]
"""Of a spec that a program trains by."""
AnyRule = Callable[[Any], Iterator[Problem]]
"""Of the kind of spec that it is asked of: `all_rules.py` says which those are."""


def check(checked: CheckedExperiment, rules: Iterable[AnyRule]) -> list[Problem]:
    """Every broken rule, in the order of the rules."""
    problems = [problem for rule in rules for problem in islice(rule(checked), MAX_TOLD + 1)]
    return all_as_written(problems, places_of(checked.written)) if problems else problems
