"""Loads the data of a plan before anything is trained, and reports where it contradicts the spec."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from craftc.compiler.checking.rules.data import too_large
from craftc.compiler.checking.rules.data_kinds import Kinds, Named, given, given_kinds, misfits
from craftc.compiler.checking.rules.targets import misfits_of_target
from craftc.compiler.checking.rules.values import EMA, slow_average
from craftc.compiler.language.declared_words import kinds_in_words
from craftc.runtime.needed_packages import install_of, is_installed, needed_packages, packages_searched
from craftc.runtime.observers.make_trackers import missing_package
from craftc.runtime.worker.own_code import cannot_import, make_importable, own_kinds
from craftc.schemas.artefact import PlannedArtefact
from craftc.schemas.catalogue import CARDINALITIES, NUM_SAMPLES, Catalogue, is_own
from craftc.schemas.diagnostic import Path, Severity, format_path, parse_path
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.spec import Report
from craftc.schemas.terms import summands

if TYPE_CHECKING:
    from craftc.components.errors import DataError
    from craftc.training.data.prepare import PreparedData


_DECISIVE = ("batch_size", "accumulate", "epochs", "max_steps", "max_tokens", "schedule", "values")
"""The keys of `training` that are held to the size of train."""
_IMPORT_HINT = "linting reads the file, running imports it; install what it needs, or mend it"


@dataclass(frozen=True)
class DataProblem:
    """A mistake in the data, or in the spec as the data shows it. `path` is the place in the spec that is concerned,
    `variant` the first whose trial has it."""

    code: str
    path: Path
    message: str
    hint: str | None
    severity: Severity = "error"
    variant: str | None = None


def preflight(
    plan: Plan, catalogue: Catalogue, prepared: FilePath | None = None, report: Report | None = None
) -> list[DataProblem]:
    """Import what new trials and the `report` name of the user's own; load, split and check the data, once for each
    different `data`, `model`, `objective`, `regularization`, batch and length. `catalogue` has what the plan's
    components declare.

    Of craftc numpy alone does this, so that nothing waits for torch or Ray to be told that a class is missing. In the
    folder `prepared`, workers find what took long.
    """
    make_importable(plan.import_folders)
    missing = list(_check_packages(plan, catalogue))
    lacking = {kind for kind, _ in missing}
    unimportable = {kind: problem for kind, problem in _check_imports(plan) if kind not in lacking}
    found = [*(problem for _, problem in missing), *unimportable.values(), *_check_report(plan, report or Report())]
    problems: dict[tuple[str, Path, str], DataProblem] = {}
    seen: set[str] = set()
    for trial in plan.trials:
        if trial.is_program:
            continue  # it reads what it likes
        decisive = [trial.config[section] for section in ("data", "model", "objective", "regularization")]
        key = json.dumps([*decisive, *(trial.config["training"].get(name) for name in _DECISIVE)], sort_keys=True)
        is_importable = not any(kind in unimportable or kind in lacking for _, kind in own_kinds(trial.config))
        if trial.status == "new" and key not in seen and is_importable:
            seen.add(key)
            for problem in _check(trial, catalogue, prepared, plan.artefacts):
                first = replace(problem, variant=trial.variant)
                problems.setdefault((problem.code, problem.path, problem.message), first)
    return [*found, *problems.values()]


def _check_packages(plan: Plan, catalogue: Catalogue) -> Iterator[tuple[str, DataProblem]]:
    """Each component that needs a package which is not installed, by its kind."""

    def declared(group: str, kind: str) -> Mapping[str, str]:
        entry = catalogue.find(group, kind)
        return {} if entry is None else entry.packages

    new = (trial for trial in plan.trials if trial.status == "new")
    for needed in needed_packages(new, catalogue, declared):
        if not is_installed(needed.package):
            message = f"{needed.kind} needs the package {needed.package}, which is not installed"
            problem = DataProblem("package-missing", needed.path, message, needed.install)
            yield needed.kind, replace(problem, variant=needed.trial.variant)
    for path, kind, packages in packages_searched(plan, catalogue, declared):
        for package, extra in packages.items():
            if not is_installed(package):
                message = f"{kind}, which the search may choose, needs the package {package}, which is not installed"
                mend = install_of(package, extra)
                yield kind, DataProblem("package-missing", ("search", "space", path), message, mend)


def _check_imports(plan: Plan) -> list[tuple[str, DataProblem]]:
    """Each component of the user's own that cannot be imported, once."""
    places = {kind: path for trial in plan.trials if trial.status == "new" for path, kind in own_kinds(trial.config)}
    found = {kind: cannot_import(kind, plan.import_folders) for kind in places}
    return [
        (kind, DataProblem("component-not-importable", places[kind], message, _IMPORT_HINT))
        for kind, message in found.items()
        if message
    ]


def _check_report(plan: Plan, report: Report) -> Iterator[DataProblem]:
    """Each tracker and artefact that cannot be imported, and trackers whose package is not installed."""
    named = [("trackers", index, each.kind) for index, each in enumerate(report.trackers)]
    named += [("artefacts", index, each.kind) for index, each in enumerate(report.artefacts)]
    for group, index, kind in named:
        place = ("report", group, index, "kind")
        if is_own(kind) and (message := cannot_import(kind, plan.import_folders)):
            yield DataProblem("component-not-importable", place, message, _IMPORT_HINT)
        elif group == "trackers" and (missing := missing_package(kind)):
            message = f"{kind} needs the package {missing[0]}, which is not installed"
            yield DataProblem("component-not-importable", place, message, f"pip install {missing[1]}")


def _check(
    trial: Trial, catalogue: Catalogue, prepared: FilePath | None, artefacts: Sequence[PlannedArtefact]
) -> list[DataProblem]:
    from craftc.components.errors import DataError
    from craftc.training.data.prepare import prepare
    from craftc.training.data.prepared_files import shelf_of

    config = trial.config
    try:
        data = prepare(config["data"], shelf_of(trial, prepared), config["model"])
    except DataError as error:
        return _problems(error.all)
    warned = [DataProblem(w.code, parse_path(w.place), w.message, w.hint or None, "warning") for w in data.warnings]
    beyond = list(_beyond_linting(config, data, catalogue, artefacts))
    misfit = [problem.path for problem in beyond if problem.severity == "error"]
    # An error of a whole component is the cause of those of its arguments.
    contradicted = [p for p in _problems(_contradictions(config, data, catalogue)) if p.path[:-1] not in misfit]
    missing = _missing_classes(data, config["data"]["splits"]["stratify"])
    return [*warned, *contradicted, *beyond, *missing]


def _problems(errors: Iterable[DataError]) -> list[DataProblem]:
    return [DataProblem(each.code, parse_path(each.place), each.message, each.hint or None) for each in errors]


def _contradictions(config: dict[str, Any], data: PreparedData, catalogue: Catalogue) -> list[DataError]:
    """Where a component asks for what the data has not, or has otherwise."""
    from craftc.components.errors import added_to
    from craftc.components.objectives.num_weights import check_num_weights
    from craftc.training.data.facts import backbone_facts, infer_facts, model_facts

    model = config["model"]
    errors: list[DataError] = []
    with added_to(errors):
        model_facts(config, data.facts)
    if (parts := catalogue.frozen_parts(model["kind"])) is not None:
        with added_to(errors):
            backbone_facts(model[parts.backbone], data.facts, f"model.{parts.backbone}")
    for place, objective in summands(config["objective"]).items():
        with added_to(errors):
            infer_facts(objective, data.facts, format_path(place), reserved=["metrics", "terms", "weight"])
        weights = objective.get("class_weights", "none")
        with added_to(errors):
            check_num_weights(weights, len(data.class_names), f"{format_path(place)}.class_weights")
    for index, metric in enumerate(config["objective"]["metrics"]):
        with added_to(errors):
            infer_facts(metric, data.facts, f"objective.metrics.{index}")
    return errors


def _beyond_linting(
    config: dict[str, Any], data: PreparedData, catalogue: Catalogue, artefacts: Sequence[PlannedArtefact] = ()
) -> Iterator[DataProblem]:
    """The rules of `compiler/checking/rules/data.py`, for sources whose content a spec does not tell."""
    source, layout = config["data"]["source"]["kind"], config["data"].get("layout", "source")
    kinds = _kinds(data, layout)
    declared = given_kinds(source, catalogue)
    if not set(kinds) & set(declared):
        message = f"{source} declares that it gives {kinds_in_words(declared)}, and gives {kinds_in_words(kinds)}"
        yield DataProblem("data-mismatch", ("data", "source"), message, "mend its gives")
        return
    yield from _wrong_facts(source, data, catalogue)
    for problem in misfits(_named(config, catalogue), given(source, kinds, layout), catalogue):
        # Without its kind: in a spec that may be all that is written of the component.
        yield DataProblem(problem.code, problem.path[:-1], problem.message, problem.hint)
    target = data.splits["train"].target_column
    for problem in misfits_of_target(
        _measures(config, artefacts), source, () if target is None else (target.kind,), catalogue
    ):
        yield DataProblem(problem.code, problem.path[:-1], problem.message, problem.hint)
    batch_size, num_train = config["training"]["batch_size"], len(data.splits["train"])
    if found := too_large(batch_size, config["training"].get("accumulate", 1), num_train):
        yield DataProblem("batch-too-large", *found, None, "warning")
    entry = catalogue.find("sources", source)
    is_linted = entry is not None and NUM_SAMPLES in entry.facts
    yield from _of_the_length(config, data, is_linted)


def _of_the_length(config: dict[str, Any], data: PreparedData, is_linted: bool) -> Iterator[DataProblem]:
    """What does not go with the number of steps, which depends on the size of train."""
    import numpy as np

    from craftc.training.data.tokens import find_course
    from craftc.training.foundation.errors import TrainingError
    from craftc.training.parts.misfits_of_phases import misfits_of_phases

    in_order = np.arange(len(data.train))
    try:
        # Which samples come first in a pass changes the number of steps by a few.
        course, _ = find_course(config, data.train, lambda pass_: in_order)
    except TrainingError as error:
        yield DataProblem(error.code, ("training", "max_tokens"), error.message, None)
        return
    decay = config["regularization"]["ema_decay"]
    if not is_linted and (told := slow_average(None if decay == "none" else decay, course.num_steps)):
        yield DataProblem("values-disagree", EMA, *told, "warning")
    for place, problem in misfits_of_phases(config["training"], course):
        severity: Severity = "error" if problem.code == "schedule-too-long" else "warning"
        yield DataProblem(problem.code, place, problem.message, None, severity)


def _kinds(data: PreparedData, layout: str) -> Kinds:
    """What the source may have given, as far as it can be told from what `data.layout` made of it."""
    if "vocabulary_size" in data.facts:
        return ("text",) if "num_features" not in data.facts and CARDINALITIES not in data.facts else ("table", "text")
    if layout in ("flat", "lines"):
        return ("images", "table")
    return ("images",) if "num_lines" in data.facts else ("table",)


def _wrong_facts(source: str, data: PreparedData, catalogue: Catalogue) -> Iterator[DataProblem]:
    """What a source of the user's own declares of its data, and what is otherwise. Those of craftc may leave samples
    out, and are tested."""
    entry = catalogue.find("sources", source)
    found = {**data.facts, NUM_SAMPLES: sum(map(len, data.splits.values()))}
    for name, value in entry.facts.items() if entry is not None and is_own(source) else ():
        if name in found and found[name] != value:
            message = f"{source} declares {name} {value}, and its data has {found[name]}"
            yield DataProblem("data-mismatch", ("data", "source"), message, "mend its facts")


def _named(config: dict[str, Any], catalogue: Catalogue) -> Iterator[Named]:
    """What is given the data, or what a model makes of it."""
    model = config["model"]
    yield Named("models", ("model", "kind"), model["kind"], True)
    if (parts := catalogue.frozen_parts(model["kind"])) is not None:
        yield Named("models", ("model", parts.backbone, "kind"), model[parts.backbone]["kind"], True)
    yield Named("normalizers", ("data", "normalize", "kind"), config["data"]["normalize"]["kind"])
    yield Named("tokenizers", ("data", "tokenizer", "kind"), config["data"].get("tokenizer", {"kind": "char"})["kind"])
    for index, augmentation in enumerate(config["data"]["augment"]):
        is_laid_out = augmentation["when"] == "after_normalize"
        yield Named("augmentations", ("data", "augment", index, "kind"), augmentation["kind"], is_laid_out)
    for name, each in config["evaluation"].get("passes", {}).items():
        yield Named("views", ("evaluation", "passes", name, "views", "kind"), each["views"]["kind"], True)
    yield from _measures(config)


def _measures(config: dict[str, Any], artefacts: Sequence[PlannedArtefact] = ()) -> Iterator[Named]:
    """What is given the target."""
    for place, objective in summands(config["objective"]).items():
        yield Named("objectives", (*place, "kind"), objective["kind"])
    for index, metric in enumerate(config["objective"]["metrics"]):
        yield Named("metrics", ("objective", "metrics", index, "kind"), metric["kind"])
    for index, stage in enumerate(config["evaluation"].get("after", ())):
        yield Named("after_stages", ("evaluation", "after", index, "kind"), stage["kind"])
    for index, artefact in enumerate(artefacts):
        yield Named("artefacts", ("report", "artefacts", index, "kind"), artefact.kind)


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
