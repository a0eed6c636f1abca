"""Lower a variant to the configuration that its trials train with: nothing is left to infer but facts of the data."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from craftc.compiler.checking.rules.data_kinds import layout_of
from craftc.compiler.checking.rules.rule import Checked, CheckedExperiment, CheckedProgram
from craftc.compiler.language.component_fields import all_component_places
from craftc.compiler.language.handed_on import handed_to
from craftc.compiler.language.headline import settled_mode
from craftc.compiler.language.pass_names import pass_of, steering_names
from craftc.compiler.language.recorded_metrics import selection
from craftc.compiler.language.value_type import files_in
from craftc.compiler.planning.identity.plain_sections import plain_sections
from craftc.compiler.planning.identity.shipped_text import settle
from craftc.compiler.planning.identity.weights import DIGEST, Trained, WeightsError, no_store, of_trial
from craftc.compiler.reading.tree import copy_tree, look_up, set_path
from craftc.schemas.catalogue import TRIAL, Catalogue
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.language import PROGRAM, sections_of
from craftc.schemas.section import as_tree
from craftc.schemas.spec import REGULARIZED, Spec
from craftc.schemas.split_roles import SETTINGS, role_of, setting

SPLIT_FILE: SpecPath = ("data", "splits", "file")


@dataclass(frozen=True)
class Lowered:
    """Plain JSON values of all that decides a result. `files` are the paths in it, all absolute, by their places."""

    config: dict[str, Any]
    files: dict[SpecPath, str]


def lower(variant: CheckedExperiment, folder: Path, trained: Trained = no_store) -> Lowered:
    """The configuration of a variant's trials: directions settled, `regularization` handed on, paths absolute.

    `folder` is what relative paths in the spec start from; `trained` knows the trials that weights are taken from. A
    trial that weights cannot be taken from stays as it is written.
    """
    if isinstance(variant, CheckedProgram):
        config = _of_program(variant)
    else:
        assert isinstance(variant, Checked)
        config = _of_training(variant)
    files = {}
    for place in path_arguments(config, variant.catalogue):
        files[place] = _located(look_up(config, place), folder, trained)
        set_path(config, place, files[place])
    return Lowered(config, files)


def _of_training(variant: Checked) -> dict[str, Any]:
    spec, catalogue = variant.spec, variant.catalogue
    config: dict[str, Any] = {name: copy_tree(variant.tree[name]) for name in sections_of(variant.tree)}
    training = config["training"]
    settle(config["data"]["source"])
    config["data"]["layout"] = layout_of(spec, catalogue)
    config["data"]["splits"] = _plain_splits(config["data"]["splits"])
    plain_sections(config)
    for key in REGULARIZED:
        del config["regularization"][key]
        if (value := getattr(spec.regularization, key)) is not None:
            for target in handed_to(key, spec, catalogue):
                look_up(config, target)[key] = value
    select = selection(spec)
    config["evaluation"]["select"] = "none" if select is None else as_tree(select)
    _settle_modes((training["early_stopping"], *training["schedule"], config["evaluation"]["select"]), variant)
    config["evaluation"]["passes"] = _passes(config, spec)
    return config


def _of_program(variant: CheckedProgram) -> dict[str, Any]:
    config: dict[str, Any] = {name: copy_tree(variant.tree[name]) for name in sections_of(variant.tree)}
    _settle_modes((config["training"]["early_stopping"], config["evaluation"]["select"]), variant)
    return config


def _settle_modes(steering: Iterable[Any], variant: CheckedExperiment) -> None:
    """Write, in place, which way is better where that is left to the metric."""
    for each in steering:
        if isinstance(each, dict) and each.get("mode") == "infer" and "metric" in each:
            each["mode"] = settled_mode(each["metric"], "infer", variant.spec, variant.catalogue)


def _passes(config: dict[str, Any], spec: Spec) -> dict[str, Any]:
    """The passes that are not switched off; those that something is chosen by are measured after every epoch."""
    passes = {name: value for name, value in config["evaluation"]["passes"].items() if value is not None}
    steering = steering_names(config)
    if spec.search is not None and spec.search.pruner.kind != "none":
        steering.append(spec.search.optimize.metric)
    chosen_by = {pass_of(name, passes) for name in steering}
    return {name: value | {"every_epoch": value["every_epoch"] or name in chosen_by} for name, value in passes.items()}


def folds(lowered: Lowered) -> Iterator[tuple[int | None, Lowered]]:
    """The configuration for each fold that is to be held out, with its number; without folds, the one that there is. A
    program has none."""
    if PROGRAM in lowered.config:
        yield None, lowered
        return
    data = lowered.config["data"]
    num, fold = (setting(data["splits"], key) for key in ("folds", "fold"))
    if num is None or fold is not None:
        yield fold, lowered
        return
    for held_out in range(num):
        of_fold = {**data, "splits": {**data["splits"], "fold": held_out}}
        yield held_out, replace(lowered, config={**lowered.config, "data": of_fold})


def _plain_splits(splits: dict[str, Any]) -> dict[str, Any]:
    """The splits in their shortest form, so that one that says what is so anyway is the same trial."""
    found = {}
    for name, value in splits.items():
        if name not in SETTINGS and isinstance(value, dict):
            said = {key: item for key, item in value.items() if item is not None}
            if said.get("for") == role_of(name, None):
                del said["for"]
            value = said["share"] if said.keys() == {"share"} else said
        if name in SETTINGS or value is not None:
            found[name] = value
    return found


def _located(written: str, folder: Path, trained: Trained) -> str:
    if not written.startswith(TRIAL):
        return os.path.abspath(folder / written)
    try:
        return os.path.abspath(of_trial(written, trained).file)
    except WeightsError:
        return written


def note_digests(config: dict[str, Any], digests: Mapping[SpecPath, str], catalogue: Catalogue) -> None:
    """Write beside a backbone's weights the digest of their file, by which a later load verifies it."""
    for place, digest in digests.items():
        holder = look_up(config, place[:-1])
        parts = catalogue.frozen_parts(str(holder.get("kind"))) if isinstance(holder, dict) else None
        if parts is not None and place[-1] == parts.weights:
            holder[DIGEST] = digest


def path_arguments(config: dict[str, Any], catalogue: Catalogue) -> list[SpecPath]:
    """The places of all files and folders: those of arguments, and that of the splits."""
    has_file = PROGRAM not in config and setting(config["data"]["splits"], "file") is not None
    of_splits = [SPLIT_FILE] if has_file else []
    return of_splits + [
        (*place.path, parameter.name, *inner)
        for place in all_component_places(config, catalogue)
        if (entry := catalogue.find(place.group, str(place.value.get("kind")))) is not None
        for parameter in entry.parameters
        for inner in files_in(place.value.get(parameter.name), parameter.type)
    ]
