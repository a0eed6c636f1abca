"""A variant's spec to the configuration that its trials train with: nothing left to infer but facts of the data."""

import os
from pathlib import Path
from typing import Any

from craftc.compiler.checks import REGULARIZED
from craftc.compiler.component_fields import all_component_places
from craftc.compiler.recorded_metrics import mode_of, selection
from craftc.compiler.tree import look_up, set_path
from craftc.compiler.value_type import options
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.schemas.spec import Spec

SECTIONS = {"data", "model", "objective", "regularization", "training", "evaluation"}
"""What decides a result; an ablation varies nothing else."""


def lower(spec: Spec, catalogue: Catalogue, folder: Path) -> dict[str, Any]:
    """Plain JSON values of all that decides a result: paths absolute, directions settled, `regularization` handed on.

    `folder` is what relative paths in the spec start from.
    """
    config = spec.model_dump(mode="json", include=SECTIONS)
    for name, target in REGULARIZED.items():
        value = config["regularization"].pop(name)
        if value is not None:
            component = config
            for part in target:
                component = component[str(part)]
            component[name] = value
    select = selection(spec)
    config["evaluation"]["select"] = "none" if select is None else select.model_dump(mode="json")
    for steering in _steering(config):
        if steering["mode"] == "infer":
            steering["mode"] = mode_of(steering["metric"], spec, catalogue)
    for place in path_arguments(config, catalogue):
        set_path(config, place, os.path.abspath(folder / look_up(config, place)))
    return config


def _steering(config: dict[str, Any]) -> list[dict[str, Any]]:
    places = [config["training"]["early_stopping"], config["evaluation"]["select"], *config["training"]["schedule"]]
    return [place for place in places if isinstance(place, dict) and "mode" in place and "metric" in place]


def path_arguments(config: dict[str, Any], catalogue: Catalogue) -> list[SpecPath]:
    """The places of all arguments that are files or folders."""
    return [
        (*place.path, parameter.name)
        for place in all_component_places(config)
        if (entry := catalogue.find(place.group, str(place.value.get("kind")))) is not None
        for parameter in entry.parameters
        if any(part.get("format") == "path" for part in options(parameter.type))
        and isinstance(place.value.get(parameter.name), str)
    ]
