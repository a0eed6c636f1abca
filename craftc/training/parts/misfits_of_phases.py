"""Compares the lengths of phases with that of the training, where they are counted in different units: once the size of
train is known. Without torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from craftc.schemas.diagnostic import Path
from craftc.training.foundation.course import Course
from craftc.training.parts.phases import num_steps_of

_BOUNDS = {"epochs": "epochs", "steps": "max_steps", "tokens": "max_tokens"}


class Misfit(NamedTuple):
    """What is wrong: `schedule-too-long`, `schedule-too-short`, or `no-effect`."""

    code: str
    message: str


def misfits_of_phases(training: Mapping[str, Any], course: Course) -> Iterator[tuple[Path, Misfit]]:
    """By the section `training` of a configuration, for the schedule and each value, at their places. Linting has said
    so already where both are counted in one unit."""
    chains: dict[Path, Sequence[Mapping[str, Any]]] = {("schedule",): training["schedule"]}
    chains |= {("values", name): phases for name, phases in training.get("values", {}).items()}
    units = {unit for unit, key in _BOUNDS.items() if key in training}
    for place, phases in chains.items():
        if units != _units(phases) and (found := _misfit(phases, course)) is not None:
            yield ("training", *place), found


def _units(phases: Sequence[Mapping[str, Any]]) -> set[str]:
    return {unit for unit in _BOUNDS for phase in phases if isinstance(phase.get(unit), int)}


def _misfit(phases: Sequence[Mapping[str, Any]], course: Course) -> Misfit | None:
    lengths = [num_steps_of(phase.get("epochs"), phase.get("steps"), course.steps_per_pass) for phase in phases]
    total, has_open = sum(length or 0 for length in lengths), None in lengths
    of_all = f"{total:,} steps, and the training has {course.num_steps:,}"
    if total > course.num_steps:
        return Misfit("schedule-too-long", f"the phases take {of_all}")
    if has_open and total == course.num_steps:
        return Misfit("no-effect", f"{phases[-1]['kind']} never comes: the phases before it take all {total:,} steps")
    if not has_open and total < course.num_steps:
        return Misfit("schedule-too-short", f"the phases take {of_all}; in the others the last one stays where it ends")
    return None
