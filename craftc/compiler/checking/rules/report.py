"""Rules of what a spec reports, to which trackers, and what is made to be looked at."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, CheckedExperiment, CheckedProgram, ExperimentRule
from craftc.compiler.language.artefact_places import INFER, artefact_name
from craftc.compiler.language.pass_names import passes_of, stages_of
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean, one_of, show
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path

TRACKERS: Path = ("report", "trackers")
ARTEFACTS: Path = ("report", "artefacts")
SPLITS: Path = ("data", "splits")
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


def duplicate_artefact(checked: CheckedExperiment) -> Iterator[Problem]:
    """Each artefact has files of its own."""
    seen: dict[str, int] = {}
    for index, artefact in enumerate(checked.spec.report.artefacts):
        name = artefact_name(artefact)
        first = seen.setdefault(name, index)
        if first != index:
            message, reads = f"two artefacts are called {name}, and each has files of its own", ((*ARTEFACTS, first),)
            hint = f"give one of them a name: {{kind: {artefact.kind}, name: {name}_{index + 1}, ...}}"
            yield Problem("duplicate-artefact", (*ARTEFACTS, index), message, hint, reads=reads)


def artefact_of(checked: CheckedExperiment) -> Iterator[Problem]:
    """An artefact shows what is measured: a split, or a pass or after-stage on one."""
    if not isinstance(checked, Checked):
        return
    spec = checked.spec
    splits, others = spec.data.splits.names, [*passes_of(spec), *stages_of(spec)]
    for index, artefact in enumerate(spec.report.artefacts):
        split, slash, other = artefact.of.partition("/")
        place = (*ARTEFACTS, index, "of")
        if artefact.of == INFER:
            continue
        if split not in splits:
            hint = did_you_mean(split, splits) or f"there are {one_of(splits)}"
            message = f"there is no split {show(split)} for {artefact.kind} to show"
            yield Problem("unknown-split", place, message, hint, reads=(place, SPLITS))
        elif slash and other not in others:
            near = did_you_mean(other, others) or (f"there are {one_of(others)}" if others else f"write {split}")
            message = f"there is no pass or after-stage {show(other)} for {artefact.kind} to show"
            yield Problem("unknown-pass", place, message, near, reads=(place, ("evaluation",)))


def artefact_of_role(checked: CheckedExperiment) -> Iterator[Problem]:
    """What is looked at while a trial trains is none of what the conclusion is drawn from; and what nothing measures,
    nothing shows."""
    if not isinstance(checked, Checked):
        return
    roles, stages = checked.spec.data.splits.roles, stages_of(checked.spec)
    shown = [name for name, role in roles.items() if role == "select"] or ["train"]
    for index, artefact in enumerate(checked.spec.report.artefacts):
        split, _, other = artefact.of.partition("/")
        place, role = (*ARTEFACTS, index, "of"), roles.get(split)
        reads = (place, (*ARTEFACTS, index, "every"), SPLITS)
        if role == "calibrate":
            message = f"split {split} is for calibrate: stages after training are fitted on it, and nothing is shown"
            yield Problem("split-role", place, message, f"write {one_of(shown)}", reads=reads)
        elif role == "final" and artefact.every is not None:
            message = f"split {split} is for the conclusion, and {artefact.kind} would show it while the trial trains"
            yield Problem("split-role", place, message, f"write {one_of(shown)}, or leave every out", reads=reads)
        elif other in stages and artefact.every is not None:
            message = f"{other} is fitted when training is over, and {artefact.kind} is made before that"
            yield Problem("split-role", place, message, f"write {split}, or leave every out", reads=reads)


def artefacts_of_program(checked: CheckedExperiment) -> Iterator[Problem]:
    """Artefacts are made from models that craftc has built and trained."""
    if isinstance(checked, CheckedProgram) and checked.spec.report.artefacts:
        message = "artefacts are made from models that craftc trains, and a program's model is its own"
        hint = "leave it out; what a program writes into run.folder is kept with the trial"
        yield Problem("no-effect", ARTEFACTS, message, hint, severity="warning")


def artefacts_while_searching(checked: CheckedExperiment) -> Iterator[Problem]:
    """A search's points keep no weights for artefacts."""
    for index, artefact in enumerate(checked.spec.report.artefacts if checked.spec.search is not None else ()):
        if artefact.every is not None:
            place = (*ARTEFACTS, index, "every")
            message = "in a search, artefacts are made of finished trials of the spec's own values alone"
            yield Problem("no-effect", place, message, severity="warning", reads=(place, ("search",)))


REPORT_RULES: tuple[ExperimentRule, ...] = (
    duplicate_tracker,
    sweep_of_nothing,
    wandb_names,
    duplicate_artefact,
    artefact_of,
    artefact_of_role,
    artefacts_of_program,
    artefacts_while_searching,
)
"""Of the report, which no variant changes."""
