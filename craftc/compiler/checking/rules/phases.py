"""Rules of phases, whether of the learning rate or of a value: one function and one code each."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Component, Spec

EPOCHS: Path = ("training", "epochs")
SCHEDULE: Path = ("training", "schedule")
VALUES: Path = ("training", "values")


class Chain(NamedTuple):
    """Phases one after another, where they stand, and of what group they are."""

    place: Path
    phases: Sequence[Component]
    group: str

    @property
    def name(self) -> str:
        """In words."""
        return "the schedule" if self.group == "schedules" else f'"{format_path(self.place)}"'

    @property
    def number(self) -> str:
        """What they say of a step, in words."""
        return "rate" if self.group == "schedules" else "value"


def chains(spec: Spec) -> Iterator[Chain]:
    """The schedule, and every value."""
    yield Chain(SCHEDULE, spec.training.schedule, "schedules")
    for name, phases in spec.training.values.items():
        yield Chain((*VALUES, name), phases, "values")


def open_phase(checked: Checked) -> Iterator[Problem]:
    """Every phase but the last says how long it is."""
    for chain in chains(checked.spec):
        for index, phase in enumerate(chain.phases[:-1]):
            if phase.args.get("epochs") == "none":
                message = f"{phase.kind} takes all epochs that remain, so what follows it never comes"
                yield Problem("schedule-open-phase", (*chain.place, index), message, "give it epochs")


def too_short(checked: Checked) -> Iterator[Problem]:
    """Phases last as long as the training, and an epoch at least."""
    epochs = checked.spec.training.epochs
    for chain in chains(checked.spec):
        lengths = [phase.args.get("epochs") for phase in chain.phases]
        if not chain.phases or not all(isinstance(length, int) for length in lengths):
            continue
        total = sum(length for length in lengths if isinstance(length, int))
        place: Path = (*chain.place, len(chain.phases) - 1, "epochs")
        reads = (EPOCHS, chain.place)
        last = chain.phases[-1].kind
        hint = "add a phase behind it, such as constant"
        if not _needs_epochs(checked, chain.group, last):
            hint = f"leave the epochs of {last} out, so that it takes all that remain"
        if total == 0:
            message = f"no phase of {chain.name} lasts an epoch"
            yield Problem("schedule-too-short", place, message, hint, reads=reads)
        elif total < epochs:
            stays = f"in the others the {chain.number} stays where {last} ends"
            message = f"the phases take {total} of {epochs} epochs; {stays}"
            yield Problem("schedule-too-short", place, message, hint, severity="warning", reads=reads)


def _needs_epochs(checked: Checked, group: str, kind: str) -> bool:
    entry = checked.catalogue.find(group, kind)
    parameter = entry.parameter("epochs") if entry else None
    return parameter is not None and parameter.required


def too_long(checked: Checked) -> Iterator[Problem]:
    """Phases fit into the training."""
    epochs = checked.spec.training.epochs
    for chain in chains(checked.spec):
        lengths = [phase.args.get("epochs") for phase in chain.phases]
        totals = list(accumulate(length if isinstance(length, int) else 0 for length in lengths))
        if totals and totals[-1] > epochs:
            message = f"the phases take {totals[-1]} epochs, but training.epochs is {epochs}"
            first_beyond = next(index for index, total in enumerate(totals) if total > epochs)
            place: Path = (*chain.place, first_beyond, "epochs")
            yield Problem("schedule-too-long", place, message, reads=(EPOCHS, chain.place))


def without_epochs(checked: Checked) -> Iterator[Problem]:
    """The last phase, where it takes what remains, has an epoch left."""
    epochs = checked.spec.training.epochs
    for chain in chains(checked.spec):
        *before, last = chain.phases
        lengths = [phase.args.get("epochs") for phase in before]
        total = sum(length for length in lengths if isinstance(length, int))
        if before and last.args.get("epochs") == "none" and total == epochs and "none" not in lengths:
            place: Path = (*chain.place, len(before))
            message = f"{last.kind} never comes: the phases before it take all {epochs} epochs"
            yield Problem("no-effect", place, message, severity="warning", reads=(place, EPOCHS, chain.place))


PHASE_RULES: tuple[Rule, ...] = (open_phase, too_long, too_short, without_epochs)
"""Of the phases of the learning rate and of values."""
