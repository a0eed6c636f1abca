"""Rules of what a spec reports, and to which trackers."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path

TRACKERS: Path = ("report", "trackers")


def duplicate_tracker(checked: Checked) -> Iterator[Problem]:
    """Each built-in tracker is named once: it has one place in the run's folder."""
    seen: dict[str, int] = {}
    for index, tracker in enumerate(checked.spec.report.trackers):
        first = seen.setdefault(tracker.kind, index)
        if first != index and not is_own(tracker.kind):
            message = f"{tracker.kind} is named twice, and a run keeps one record for each built-in tracker"
            yield Problem(
                "duplicate-tracker", (*TRACKERS, index), message, "keep one of them", reads=((*TRACKERS, first),)
            )


def sweep_of_nothing(checked: Checked) -> Iterator[Problem]:
    """A sweep is gathered where W&B is told of the runs at all."""
    for index, tracker in enumerate(checked.spec.report.trackers):
        if tracker.kind == "wandb" and tracker.args.get("mode") == "disabled" and tracker.args.get("sweep"):
            place, reads = (*TRACKERS, index, "sweep"), ((*TRACKERS, index, "sweep"), (*TRACKERS, index, "mode"))
            message = "W&B is disabled, so there is no sweep"
            yield Problem("no-effect", place, message, severity="warning", reads=reads)


REPORT_RULES: tuple[Rule, ...] = (duplicate_tracker, sweep_of_nothing)
"""Of the report, which no variant changes."""
