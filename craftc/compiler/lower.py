"""A variant's spec to the configuration that its trials train with: nothing left to infer but facts of the data."""

import os
from pathlib import Path
from typing import Any

from craftc.compiler.checks import REGULARIZED
from craftc.compiler.recorded_metrics import mode_of, selection
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.spec import Spec

SECTIONS = {"data", "model", "objective", "regularization", "training", "evaluation"}
"""What decides a result; an ablation varies nothing else."""


def lower(spec: Spec, catalogue: Catalogue, folder: Path) -> dict[str, Any]:
    """Plain JSON values of all that decides a result: paths absolute, directions settled, `regularization` handed on.

    `folder` is what relative paths in the spec start from.
    """
    config = spec.model_dump(mode="json", include=SECTIONS)
    if config["data"]["layout"] == "source":
        # A trial that asks for no other shape is the trial that it was before there was a choice.
        del config["data"]["layout"]
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
    for name in path_arguments(config, catalogue):
        config["data"]["source"][name] = os.path.abspath(folder / config["data"]["source"][name])
    return config


def _steering(config: dict[str, Any]) -> list[dict[str, Any]]:
    places = [config["training"]["early_stopping"], config["evaluation"]["select"], *config["training"]["schedule"]]
    return [place for place in places if isinstance(place, dict) and "mode" in place and "metric" in place]


def path_arguments(config: dict[str, Any], catalogue: Catalogue) -> list[str]:
    """The arguments of the data source that are files or folders."""
    source = config["data"]["source"]
    entry = catalogue.find("sources", source["kind"])
    parameters = entry.parameters if entry else ()
    return [p.name for p in parameters if p.type.get("format") == "path" and isinstance(source.get(p.name), str)]
