"""Tells a file of another tool by its keys: Hydra, W&B sweeps, Ray Tune, Ludwig, Lightning CLI, Determined."""

from typing import NamedTuple

from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Diagnostic

MAX_DEPTH = 6
"""Levels below the root in which a key such as `_target_` is looked for."""


class ForeignFile(NamedTuple):
    """What a file is, the key that says so, and the page that translates it."""

    tool: str
    key: str
    page: str


def foreign_file(document: Document) -> Diagnostic | None:
    """The one thing to say of a file of another tool; None of any other, and of what says that it is a spec."""
    found = _recognize(document.root)
    if found is None:
        return None
    message = f"this is {found.tool}, and no spec of craftc"
    hint = f"docs/from/{found.page}.md writes such a file as a spec, side by side"
    return Problem("foreign-file", (found.key,), message, hint, at_key=True).place(document)


def _recognize(root: Node) -> ForeignFile | None:
    if not isinstance(root.value, dict) or "craftc" in root.value:
        return None
    keys = root.value.keys()
    if {"input_features", "output_features"} <= keys:
        return ForeignFile("a Ludwig configuration", "input_features", "ludwig")
    if "searcher" in keys and {"hyperparameters", "entrypoint", "resources"} & keys:
        return ForeignFile("a Determined experiment", "searcher", "determined")
    if _is_mapping(root, "parameters") and {"method", "program", "command", "metric"} & keys:
        return ForeignFile("a W&B sweep", "parameters", "wandb_sweeps")
    if "hydra" in keys or (isinstance(_value(root, "defaults"), list)):
        return ForeignFile("a Hydra configuration", "hydra" if "hydra" in keys else "defaults", "hydra")
    if "tune_config" in keys or "param_space" in keys or (trial := _rllib_trial(root)) is not None:
        key = next((key for key in ("param_space", "tune_config") if key in keys), "") or trial
        return ForeignFile("a Ray Tune experiment", str(key), "ray_tune")
    return _by_inner_keys(root)


def _by_inner_keys(root: Node) -> ForeignFile | None:
    """What is recognized by a key or text anywhere in the file."""
    assert isinstance(root.value, dict)
    for key, (_, value) in root.value.items():
        if key == "class_path" or _holds(value, "class_path"):
            return ForeignFile("a configuration of Lightning CLI", key, "lightning_cli")
        if key == "_target_" or _holds(value, "_target_"):
            return ForeignFile("a Hydra configuration", key, "hydra")
        if _says(value, "tune."):
            return ForeignFile("a Ray Tune experiment", key, "ray_tune")
    is_lightning = _is_mapping(root, "trainer") and {"model", "data", "seed_everything", "fit"} & root.value.keys()
    if is_lightning or _is_mapping(root, "fit") or "seed_everything" in root.value:
        key = next(key for key in ("trainer", "fit", "seed_everything") if key in root.value)
        return ForeignFile("a configuration of Lightning CLI", key, "lightning_cli")
    return None


def _rllib_trial(root: Node) -> str | None:
    """The first experiment of a file of experiments by name, each with what it runs, as `rllib train -f` takes it."""
    entries = root.value.items() if isinstance(root.value, dict) else ()
    return next((key for key, (_, node) in entries if _value(node, "run") and _is_mapping(node, "config")), None)


def _value(node: Node, key: str) -> object:
    entry = node.entry(key)
    return None if entry is None else entry.value


def _is_mapping(node: Node, key: str) -> bool:
    return isinstance(_value(node, key), dict)


def _holds(node: Node, name: str, depth: int = 0) -> bool:
    if depth == MAX_DEPTH:
        return False
    if isinstance(node.value, dict):
        return name in node.value or any(_holds(inner, name, depth + 1) for _, inner in node.value.values())
    return isinstance(node.value, list) and any(_holds(inner, name, depth + 1) for inner in node.value)


def _says(node: Node, beginning: str, depth: int = 0) -> bool:
    if isinstance(node.value, dict) and depth < MAX_DEPTH:
        return any(_says(inner, beginning, depth + 1) for _, inner in node.value.values())
    return isinstance(node.value, str) and node.value.startswith(beginning) and "(" in node.value
