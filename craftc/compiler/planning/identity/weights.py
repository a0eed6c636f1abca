"""What a spec writes for trained weights -> the file that holds them: a path, or `trial:ID` by what the store has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from craftc.compiler.checking.rules.rule import Checked, CheckedExperiment
from craftc.compiler.language.removals import patterns_of
from craftc.compiler.planning.identity.with_defaults import filled_component
from craftc.compiler.reading.problem import Problem, show
from craftc.schemas.catalogue import REMOVE, TRIAL
from craftc.schemas.diagnostic import Path as SpecPath

MODEL: SpecPath = ("model",)
DIGEST = "weights_sha256"
"""Stands beside a `weights` argument of a trial's configuration: of the file that was planned with."""
ALIKE_IN_EVALUATION = {"kind", "dropout"}
"""Of a model's arguments: the kind, which is told of by itself, and what evaluation makes no use of."""


@dataclass(frozen=True)
class TrainedTrial:
    """A finished trial of the store: its best weights, and the model that they are of as its configuration has it."""

    id: str
    file: Path
    model: dict[str, Any]


class WeightsError(Exception):
    """No trial that weights can be taken from. `code` is `weights-not-found` or `weights-unfinished`."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(code, message, hint)
        self.code, self.message, self.hint = code, message, hint


Trained = Callable[[str], TrainedTrial]
"""From the beginning of a trial's id to the one finished trial that it is of. Raises WeightsError."""


def no_store(beginning: str) -> TrainedTrial:
    """Knows no trial."""
    raise WeightsError("weights-not-found", f"no trial {show(beginning)}: there is no store", "name a file of weights")


def of_trial(written: str, trained: Trained) -> TrainedTrial:
    """The trial that `trial:ID` names. Raises WeightsError."""
    return trained(written.removeprefix(TRIAL).strip())


def contradictions(trained: Trained, variant: CheckedExperiment) -> tuple[Problem, ...]:
    """Where a backbone is another model than that of the trial whose weights it is to have.

    Weights of one shape fit many models, and compute nonsense in all but their own. A file does not say what it is of.
    """
    if not isinstance(variant, Checked):
        return ()
    frozen = variant.tree["model"]
    parts = variant.catalogue.frozen_parts(frozen["kind"])
    if parts is None:
        return ()
    backbone, weights = frozen[parts.backbone], frozen[parts.weights]
    if not isinstance(weights, str) or not weights.startswith(TRIAL):
        return ()
    try:
        trial = of_trial(weights, trained)
    except WeightsError:
        return ()
    # An argument that the trial's configuration leaves out was added since, and had its default in effect.
    model = filled_component(trial.model, "models", variant.catalogue)
    return tuple(_differences(backbone, (*MODEL, parts.backbone), replace(trial, model=model)))


def _differences(backbone: dict[str, Any], place: SpecPath, trial: TrainedTrial) -> Iterator[Problem]:
    name = f"trial {trial.id[:12]}"
    if trial.model.get("kind") != backbone["kind"]:
        message = f"the backbone is {backbone['kind']}, and {name} trained {trial.model.get('kind')}"
        yield Problem("weights-differ", (*place, "kind"), message, "its weights are those of its model alone")
        return
    if REMOVE in trial.model:
        without = ", ".join(pattern for each in trial.model[REMOVE] for pattern in patterns_of(each))
        message = f"{name} trained a model without {without}, and a backbone is a whole model"
        yield Problem("weights-differ", place, message, "take the weights of a trial that removes nothing")
        return
    for argument in sorted({*backbone, *trial.model} - ALIKE_IN_EVALUATION):
        here, there = backbone.get(argument), trial.model.get(argument)
        if here != there and "infer" not in (here, there):
            message = f"the backbone's {argument} is {_shown(here)}, and that of {name} was {_shown(there)}"
            yield Problem("weights-differ", (*place, argument), message, f"write {argument}: {_written(there)}")


def _shown(value: Any) -> str:
    return _written(value) if isinstance(value, list) else show(value)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return show(value) if isinstance(value, dict | bool) or value is None else str(value)
