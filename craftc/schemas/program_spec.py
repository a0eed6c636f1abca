"""The spec of an experiment whose trials a program trains: a function of the user's own, or one of craftc's."""

from typing import Annotated

from craftc.schemas.section import Field, Section
from craftc.schemas.spec import Component, ComponentGroup, EarlyStopping, Experiment, OrNone, Select


class Program(Component):
    """The function that trains, and its arguments."""


class ProgramTraining(Section):
    """When a program is stopped."""

    early_stopping: OrNone[EarlyStopping] = Field(None, description="When to stop before the program ends.")


class ProgramEvaluation(Section):
    """Which of a program's records is its result."""

    select: OrNone[Select] = Field(
        None, description="Which record, with the state that was reported with it, is the best; none: the last."
    )


class ProgramSpec(Experiment, before="ablation"):
    """An experiment whose trials a program trains."""

    program: Annotated[Program, ComponentGroup("programs")] = Field(description="What trains, and its arguments.")
    training: ProgramTraining = Field(default_factory=ProgramTraining, description="Early stopping.")
    evaluation: ProgramEvaluation = Field(default_factory=ProgramEvaluation, description="The best record.")
