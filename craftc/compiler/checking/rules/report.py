"""Rules of what a spec reports, and to which trackers."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import CheckedExperiment, ExperimentRule
from craftc.compiler.reading.problem import Problem, all_of, show
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path

TRACKERS: Path = ("report", "trackers")
MAX_WANDB_NAME = 128
_NOT_IN_WANDB = frozenset("/\\#?%:")


def duplicate_tracker(checked: CheckedExperiment) -> Iterator[Problem]:
    """Each built-in tracker is named once: it has one place in the run's folder."""
    seen: dict[str, int] = {}
    for index, tracker in enumerate(checked.spec.report.trackers):
        first = seen.setdefault(tracker.kind, index)
        if first != index and not is_own(tracker.kind):
            message = f"{tracker.kind} is named twice, and a run keeps one record for each built-in tracker"
            yield Problem(
                "duplicate-tracker", (*TRACKERS, index), message, "keep one of them", reads=((*TRACKERS, first),)
            )


def sweep_of_nothing(checked: CheckedExperiment) -> Iterator[Problem]:
    """A sweep is gathered where W&B is told of the runs at all."""
    for index, tracker in enumerate(checked.spec.report.trackers):
        if tracker.kind == "wandb" and tracker.args.get("mode") == "disabled" and tracker.args.get("sweep"):
            place, reads = (*TRACKERS, index, "sweep"), ((*TRACKERS, index, "sweep"), (*TRACKERS, index, "mode"))
            message = "W&B is disabled, so there is no sweep"
            yield Problem("no-effect", place, message, severity="warning", reads=reads)


def wandb_names(checked: CheckedExperiment) -> Iterator[Problem]:
    """W&B takes the names of the project and of its team."""
    for index, tracker in enumerate(checked.spec.report.trackers):
        for key in ("project", "entity") if tracker.kind == "wandb" else ():
            name = tracker.args.get(key)
            odd = sorted(set(name) & _NOT_IN_WANDB) if isinstance(name, str) else []
            if not isinstance(name, str) or (not odd and len(name) <= MAX_WANDB_NAME and name == name.strip()):
                continue
            wrong = (
                f"it holds {all_of(odd, ' and ')}" if odd else f"it has {len(name)} characters, or a space at an end"
            )
            message = f"W&B takes no {key} called {show(name)}: {wrong}"
            hint = f"a name has up to {MAX_WANDB_NAME} characters, and none of / \\ # ? % :"
            if key == "project" and odd == ["/"] and name.count("/") == 1:
                team, _, project = name.partition("/")
                hint = f"write entity: {team}, project: {project}"
            yield Problem("unfit-name", (*TRACKERS, index, key), message, hint)


REPORT_RULES: tuple[ExperimentRule, ...] = (duplicate_tracker, sweep_of_nothing, wandb_names)
"""Of the report, which no variant changes."""
