"""A trial's configuration in; what it has in common with trials that take about as long, the nearest first, out."""

from typing import Any

from craftc.compiler.planning.identity.fingerprint import canonical_json
from craftc.schemas.forecast import Similarity
from craftc.schemas.samples_per_step import samples_per_step
from craftc.schemas.terms import objective_kind

SIMILARITIES: tuple[Similarity, ...] = ("alike", "same-model", "other-batch-size", "same-kind")

PROGRAM_SIMILARITIES: tuple[Similarity, ...] = ("same-arguments", "same-program")

FREE_IN_TRAINING = (
    *("epochs", "max_steps", "max_tokens"),
    *("schedule", "values", "early_stopping", "optimizer", "decay", "groups", "layer_decay"),
)
"""What decides how many steps there are, or what a step is worth, and hardly how long it takes."""


def similarity_keys(config: dict[str, Any], device: str) -> tuple[str, ...]:
    """One text per likeness; trials with the same text are like each other. `device`: cpu or cuda.

    Raises AttributeError, KeyError or TypeError for what is no configuration of this version.
    """
    # Numbers of dropout, of weight decay and of a learning rate change no step's time; whatever else an argument of a
    # model is called may be its size.
    model = {name: value for name, value in config["model"].items() if name != "dropout"}
    batch_size = samples_per_step(config["training"])
    training = {name: value for name, value in config["training"].items() if name not in FREE_IN_TRAINING}
    step = {
        "data": config["data"],
        "objective": objective_kind(config["objective"]),
        "metrics": [metric["kind"] for metric in config["objective"]["metrics"]],
        "training": training,
        "optimizer": config["training"]["optimizer"]["kind"],
        "regularized": sorted(name for name, value in config["regularization"].items() if value not in (None, "none")),
    }
    texts = (
        {"model": model, **step, "device": device},
        {"model": model, "batch_size": batch_size, "device": device},
        {"model": model, "device": device},
        {"kind": model["kind"], "device": device},
    )
    return tuple(canonical_json(text) for text in texts)


def program_keys(config: dict[str, Any], device: str) -> tuple[str, ...]:
    """One text per likeness of programs: whatever an argument is called, it may decide how long a program takes."""
    program, stops = config["program"], config["training"]["early_stopping"]
    texts = ({"program": program, "stops": stops, "device": device}, {"kind": program["kind"], "device": device})
    return tuple(canonical_json(text) for text in texts)


def size_key(config: dict[str, Any]) -> str:
    """What decides how many samples an epoch has."""
    return canonical_json({"source": config["data"]["source"], "splits": config["data"]["splits"]})


def device_kind(name: str) -> str:
    """`cuda:1` is cuda."""
    return name.partition(":")[0]
