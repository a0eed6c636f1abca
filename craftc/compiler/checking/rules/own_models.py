"""Rules of models of the user's own: one function and one code each."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem, all_of
from craftc.schemas.diagnostic import Path

KIND: Path = ("model", "kind")


def training_ignored(checked: Checked) -> Iterator[Problem]:
    """What a model says of its own training is said in the spec."""
    entry = checked.catalogue.find("models", checked.spec.model.kind)
    if entry is not None and entry.ignored:
        message = (
            f"{entry.kind} is a LightningModule, and craftc trains it by the spec: it calls forward alone, and never "
            f"{all_of(entry.ignored)}"
        )
        hint = "name its loss as objective, its optimizer as training.optimizer, its metrics as objective.metrics"
        yield Problem("training-ignored", KIND, message, hint, severity="warning", related=entry.definition())


OWN_MODEL_RULES: tuple[Rule, ...] = (training_ignored,)
"""What is asked of a model's source."""
