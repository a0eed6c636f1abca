"""Rules of phases, whether of the learning rate or of a value: one function and one code each."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Component, Spec, Training

SCHEDULE: Path = ("training", "schedule")
VALUES: Path = ("training", "values")
BOUNDS: dict[str, str] = {"epochs": "epochs", "steps": "max_steps"}
"""The unit of a phase's length, and the key of `training` that says how long it is in that unit."""


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


class Length(NamedTuple):
    """How long a phase is; `number` is None for all that remains, and where it is not known."""

    unit: str
    number: int | None
    is_open: bool


def chains(spec: Spec) -> Iterator[Chain]:
    """The schedule, and every value."""
    yield Chain(SCHEDULE, spec.training.schedule, "schedules")
    for name, phases in spec.training.values.items():
        yield Chain((*VALUES, name), phases, "values")


def length_of(phase: Component) -> Length:
    """The length that is given of a phase."""
    for unit in BOUNDS:
        if isinstance(number := phase.args.get(unit), int):
            return Length(unit, number, False)
    return Length("epochs", None, phase.args.get("epochs", "none") == "none" and "epochs" in phase.args)


def only_bound(training: Training) -> tuple[str, int] | None:
    """The unit and the number of them after which a training ends, where one bound alone is given."""
    given = {name: getattr(training, name) for name in ("epochs", "max_steps", "max_tokens")}
    given = {name: bound for name, bound in given.items() if bound is not None}
    unit = next((unit for unit, key in BOUNDS.items() if given.keys() == {key}), None)
    return None if unit is None else (unit, given[BOUNDS[unit]])


def open_phase(checked: Checked) -> Iterator[Problem]:
    """Every phase but the last says how long it is."""
    for chain in chains(checked.spec):
        for index, phase in enumerate(chain.phases[:-1]):
            if length_of(phase).is_open:
                message = f"{phase.kind} takes all epochs that remain, so what follows it never comes"
                yield Problem("schedule-open-phase", (*chain.place, index), message, "give it epochs, or steps")


def two_lengths(checked: Checked) -> Iterator[Problem]:
    """The length of a phase is said once."""
    for chain in chains(checked.spec):
        for index, phase in enumerate(chain.phases):
            both = [phase.args.get(unit) for unit in BOUNDS]
            if all(isinstance(number, int) for number in both) and not is_own(phase.kind):
                place: Path = (*chain.place, index)
                message = f"{phase.kind} has epochs {both[0]} and steps {both[1]}, and is one of the two long"
                reads = tuple((*place, unit) for unit in BOUNDS)
                yield Problem("one-length", (*place, "steps"), message, "write one of epochs and steps", reads=reads)


def too_short(checked: Checked) -> Iterator[Problem]:
    """Phases last as long as the training, and a step at least."""
    bound = only_bound(checked.spec.training)
    for chain in chains(checked.spec):
        lengths = [length_of(phase) for phase in chain.phases]
        if not chain.phases or any(length.number is None for length in lengths):
            continue
        total, units = sum(length.number or 0 for length in lengths), {length.unit for length in lengths}
        unit = lengths[-1].unit
        place: Path = (*chain.place, len(chain.phases) - 1, unit)
        last = chain.phases[-1].kind
        hint = "add a phase behind it, such as constant"
        if not _begins(checked, chain.group, last):
            hint = f"leave the {unit} of {last} out, so that it takes all that remain"
        reads = (("training", BOUNDS[unit]), chain.place)
        if total == 0:
            message = f"no phase of {chain.name} lasts {'an epoch' if unit == 'epochs' else 'a step'}"
            yield Problem("schedule-too-short", place, message, hint, reads=reads)
        elif bound is not None and units == {bound[0]} and total < bound[1]:
            stays = f"in the others the {chain.number} stays where {last} ends"
            message = f"the phases take {total} of {bound[1]} {unit}; {stays}"
            yield Problem("schedule-too-short", place, message, hint, severity="warning", reads=reads)


def _begins(checked: Checked, group: str, kind: str) -> bool:
    """Whether a phase is made to have another behind it: it says how long it is, or may be skipped."""
    entry = checked.catalogue.find(group, kind)
    parameter = entry.parameter("epochs") if entry else None
    if parameter is None:
        return False
    options = parameter.type.get("anyOf", [parameter.type])
    return parameter.required or any(option.get("minimum") == 0 for option in options)


def too_long(checked: Checked) -> Iterator[Problem]:
    """Phases fit into the training, as far as both are counted in one unit; a run compares what is left."""
    for chain in chains(checked.spec):
        for unit, key in BOUNDS.items():
            bound = getattr(checked.spec.training, key)
            lengths = [length_of(phase) for phase in chain.phases]
            totals = list(accumulate((length.number or 0) if length.unit == unit else 0 for length in lengths))
            if bound is None or not totals or totals[-1] <= bound:
                continue
            message = f"the phases take {totals[-1]} {unit}, but training.{key} is {bound}"
            first_beyond = next(index for index, total in enumerate(totals) if total > bound)
            place: Path = (*chain.place, first_beyond, unit)
            yield Problem("schedule-too-long", place, message, reads=(("training", key), chain.place))


def without_epochs(checked: Checked) -> Iterator[Problem]:
    """The last phase, where it takes what remains, has a step left."""
    bound = only_bound(checked.spec.training)
    for chain in chains(checked.spec) if bound is not None else ():
        *before, last = map(length_of, chain.phases)
        if not before or not last.is_open or any(length.is_open for length in before):
            continue
        total, units = sum(length.number or 0 for length in before), {length.unit for length in before}
        if bound is not None and units == {bound[0]} and total == bound[1]:
            place: Path = (*chain.place, len(before))
            kind = chain.phases[-1].kind
            message = f"{kind} never comes: the phases before it take all {bound[1]} {bound[0]}"
            reads = (place, ("training", BOUNDS[bound[0]]), chain.place)
            yield Problem("no-effect", place, message, severity="warning", reads=reads)


PHASE_RULES: tuple[Rule, ...] = (open_phase, two_lengths, too_long, too_short, without_epochs)
"""Of the phases of the learning rate and of values."""
