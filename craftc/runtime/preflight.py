"""What only the data can show, before anything is trained: a plan in, the data's contradictions out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from craftc.compiler.checking.rules.data import Named, with_text, without_images, without_text
from craftc.runtime.observers.make_trackers import missing_package
from craftc.runtime.work.own_code import cannot_import, make_importable, own_kinds
from craftc.schemas.catalogue import FROZEN_BACKBONE, is_own
from craftc.schemas.diagnostic import Path, Severity, parse_path
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.spec import Component

if TYPE_CHECKING:
    from craftc.training.data.prepare import PreparedData


_IMPORT_HINT = "linting reads the file, running imports it; install what it needs, or mend it"


@dataclass(frozen=True)
class DataProblem:
    """A mistake in the data, or in the spec as the data shows it. `path` is the place in the spec that is concerned."""

    code: str
    path: Path
    message: str
    hint: str | None
    severity: Severity = "error"


def preflight(plan: Plan, prepared: FilePath | None = None, trackers: Sequence[Component] = ()) -> list[DataProblem]:
    """Import what new trials and `trackers` name of the user's own; load, split and check the data, once for each
    different `data`, `model`, `objective` and batch.

    Of craftc numpy alone does this, so that nothing waits for torch or Ray to be told that a class is missing. In the
    folder `prepared`, workers find what took long.
    """
    make_importable(plan.import_folders)
    if unimportable := [*_check_imports(plan), *_check_trackers(plan, trackers)]:
        return unimportable
    problems: dict[DataProblem, None] = {}
    seen: set[str] = set()
    for trial in plan.trials:
        decisive = [trial.config[section] for section in ("data", "model", "objective")]
        key = json.dumps([*decisive, trial.config["training"]["batch_size"]], sort_keys=True)
        if trial.status == "new" and key not in seen:
            seen.add(key)
            problems |= dict.fromkeys(_check(trial, prepared))
    return list(problems)


def _check_imports(plan: Plan) -> list[DataProblem]:
    """Each component of the user's own that cannot be imported, once."""
    places = {kind: path for trial in plan.trials if trial.status == "new" for path, kind in own_kinds(trial.config)}
    found = {kind: cannot_import(kind, plan.import_folders) for kind in places}
    return [
        DataProblem("component-not-importable", places[kind], message, _IMPORT_HINT)
        for kind, message in found.items()
        if message
    ]


def _check_trackers(plan: Plan, trackers: Sequence[Component]) -> Iterator[DataProblem]:
    """Each tracker that cannot be imported, or whose package is not installed."""
    for index, tracker in enumerate(trackers):
        place, kind = ("report", "trackers", index, "kind"), tracker.kind
        if is_own(kind) and (message := cannot_import(kind, plan.import_folders)):
            yield DataProblem("component-not-importable", place, message, _IMPORT_HINT)
        elif missing := missing_package(kind):
            message = f"{kind} needs the package {missing[0]}, which is not installed"
            yield DataProblem("component-not-importable", place, message, f"pip install {missing[1]}")


def _check(trial: Trial, prepared: FilePath | None) -> list[DataProblem]:
    from craftc.components.errors import DataError
    from craftc.components.objectives.num_weights import check_num_weights
    from craftc.training.data.prepare import backbone_facts, infer_facts, prepare
    from craftc.training.data.prepared_files import shelf_of

    config = trial.config
    try:
        data = prepare(config["data"], shelf_of(trial, prepared))
        infer_facts(config["model"], data.facts)
        if config["model"]["kind"] == FROZEN_BACKBONE:
            backbone_facts(config["model"]["backbone"], data.facts)
        infer_facts(config["objective"], data.facts, "objective", reserved=["metrics"])
        for index, metric in enumerate(config["objective"]["metrics"]):
            infer_facts(metric, data.facts, f"objective.metrics.{index}")
        check_num_weights(config["objective"].get("class_weights", "none"), len(data.class_names))
    except DataError as error:
        return [DataProblem(error.code, parse_path(error.place), error.message, error.hint or None)]
    return [*_beyond_linting(config, data), *_missing_classes(data, config["data"]["splits"]["stratify"])]


def _beyond_linting(config: dict[str, Any], data: PreparedData) -> Iterator[DataProblem]:
    """The rules of `compiler/checking/rules/data.py`, for sources whose content a spec does not tell."""
    is_text = "vocabulary_size" in data.facts
    unfit = [
        *(
            with_text(_named(config), "the data is text")
            if is_text
            else without_text(_named(config), "the data is none")
        )
    ]
    if "num_lines" not in data.facts:
        unfit += without_images(_named(config), "the data is text" if is_text else "the data is a table")
    for problem in unfit:
        # Without its kind: in a spec that may be all that is written of the component.
        yield DataProblem(problem.code, problem.path[:-1], problem.message, problem.hint)
    batch_size, num_train = config["training"]["batch_size"], len(data.splits["train"])
    if batch_size > num_train:
        message = f"a batch of {batch_size} is more than the train split, {num_train} samples: an epoch is one step"
        yield DataProblem("batch-too-large", ("training", "batch_size"), message, None, "warning")


def _named(config: dict[str, Any]) -> Iterator[Named]:
    """What is given the data. A model takes from the data what it needs of it, so that is told already."""
    for index, augmentation in enumerate(config["data"]["augment"]):
        yield "augmentations", ("data", "augment", index, "kind"), augmentation["kind"]
    for index, metric in enumerate(config["objective"]["metrics"]):
        yield "metrics", ("objective", "metrics", index, "kind"), metric["kind"]


def _missing_classes(data: PreparedData, is_stratified: bool) -> list[DataProblem]:
    from craftc.training.data.prepare import missing_classes

    return [
        DataProblem(
            "class-missing-from-split",
            ("data", "splits", split),
            f"the split {split} has no sample of {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}",
            f"metrics averaged over classes leave them out there; {_mend(data, names, is_stratified)}",
            "warning",
        )
        for split, names in missing_classes(data).items()
    ]


def _mend(data: PreparedData, missing: Sequence[str], is_stratified: bool) -> str:
    """What would bring the classes into the split."""
    num_samples = {
        name: sum(int((split.targets == data.class_names.index(name)).sum()) for split in data.splits.values())
        for name in missing
    }
    rarest = min(missing, key=num_samples.__getitem__)
    if (num_rarest := num_samples[rarest]) < len(data.splits):
        many = f"{num_rarest} sample{'' if num_rarest == 1 else 's'}"
        return f"{rarest} has {many} for {len(data.splits)} splits: add some, or leave the class out"
    return f"{'' if is_stratified else 'stratify, '}enlarge the split, or leave the class out"
