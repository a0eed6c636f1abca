"""A variant's spec to the configuration that its trials train with: nothing left to infer but facts of the data."""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.language.component_fields import ComponentField, all_component_places, component_fields
from craftc.compiler.language.recorded_metrics import mode_of, selection
from craftc.compiler.language.value_type import is_file
from craftc.compiler.planning.identity.shipped_text import settle
from craftc.compiler.planning.identity.weights import DIGEST, Trained, WeightsError, no_store, of_trial
from craftc.compiler.reading.tree import copy_tree, look_up, set_path
from craftc.compiler.variants.watched import plain
from craftc.schemas.catalogue import TRIAL, Catalogue
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.section import as_tree
from craftc.schemas.spec import REGULARIZED, SECTIONS, Spec

AS_BEFORE = {"precision": "float32", "compile": False, "deterministic": False}
"""Of `training`, left out where it stands so: such a trial is the trial that it was before there was a choice."""


def lower(spec: Spec, catalogue: Catalogue, folder: Path, trained: Trained = no_store) -> dict[str, Any]:
    """Plain JSON values of all that decides a result: paths absolute, directions settled, `regularization` handed on.

    `folder` is what relative paths in the spec start from; `trained` knows the trials that weights are taken from.
    """
    tree = {name: section for name, section in as_tree(spec).items() if name in SECTIONS}
    variant = Checked(spec, tree, tree, catalogue)
    return {name: lower_section(name, variant, folder, trained)[0] for name in tree}


def lower_section(
    name: str, variant: Checked, folder: Path, trained: Trained = no_store
) -> tuple[dict[str, Any], list[tuple[SpecPath, str]]]:
    """One section of a lowered configuration, by what of the variant it takes; and the places of the paths in it.

    A trial that weights cannot be taken from stays as it is written.
    """
    spec, catalogue = variant.spec, variant.catalogue
    section: dict[str, Any] = copy_tree(plain(variant.tree[name]))
    if name == "data" and section["layout"] == "source":
        # A trial that asks for no other shape is the trial that it was before there was a choice.
        del section["layout"]
    if name == "data":
        settle(section["source"])
    if name == "training":
        section = {key: value for key, value in section.items() if AS_BEFORE.get(key, ...) != value}
    for key, target in REGULARIZED.items():
        if name == "regularization":
            del section[key]
        elif target[0] == name and (value := getattr(spec.regularization, key)) is not None:
            look_up(section, target[1:])[key] = value
    if name == "evaluation":
        select = selection(spec)
        section["select"] = "none" if select is None else as_tree(select)
    for steering in _steering(name, section):
        if steering["mode"] == "infer":
            steering["mode"] = mode_of(steering["metric"], spec, catalogue)
    files = []
    for place in path_arguments({name: section}, catalogue):
        files.append((place, _located(look_up(section, place[1:]), folder, trained)))
        set_path(section, place[1:], files[-1][1])
    return section, files


def _located(written: str, folder: Path, trained: Trained) -> str:
    if not written.startswith(TRIAL):
        return os.path.abspath(folder / written)
    try:
        return os.path.abspath(of_trial(written, trained).file)
    except WeightsError:
        return written


def note_digests(
    config: dict[str, Any], places: Sequence[SpecPath], digests: Mapping[str, str], catalogue: Catalogue
) -> None:
    """Write beside a backbone's weights the digest of their file, by which whoever loads it knows it again."""
    for place in places:
        holder = look_up(config, place[:-1])
        parts = catalogue.frozen_parts(holder["kind"])
        if parts is not None and place[-1] == parts.weights:
            holder[DIGEST] = digests[holder[place[-1]]]


def _steering(name: str, section: dict[str, Any]) -> list[dict[str, Any]]:
    places = {
        "training": lambda: [section["early_stopping"], *section["schedule"]],
        "evaluation": lambda: [section["select"]],
    }.get(name, list)()
    return [place for place in places if isinstance(place, dict) and "mode" in place and "metric" in place]


def path_arguments(config: dict[str, Any], catalogue: Catalogue) -> list[SpecPath]:
    """The places of all arguments that are files or folders."""
    return [
        (*place.path, parameter.name)
        for place in all_component_places(config, catalogue, _fields_of(tuple(config)))
        if (entry := catalogue.find(place.group, str(place.value.get("kind")))) is not None
        for parameter in entry.parameters
        if is_file(place.value.get(parameter.name), parameter.type)
    ]


@lru_cache
def _fields_of(sections: tuple[str, ...]) -> tuple[ComponentField, ...]:
    return tuple(field for field in component_fields() if field.path[0] in sections)
