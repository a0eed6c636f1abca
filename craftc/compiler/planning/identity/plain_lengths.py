"""Leaves out of a configuration the lengths that a spec does not give."""

from typing import Any

LENGTHS = ("epochs", "max_steps", "max_tokens")
"""The keys of `training` that say how long it is."""
EVERY_PASS = {"epochs": 1}
"""When a training records where nothing is written."""


def plain_lengths(config: dict[str, Any]) -> None:
    """Take away, in place: bounds of a training that it does not have, the unit in which something is not counted, and
    records after each pass."""
    training, evaluation = config["training"], config["evaluation"]
    for name in LENGTHS:
        if training.get(name) in ("none", None):
            training.pop(name, None)
    plain_phases(training)
    evaluation["every"] = {unit: length for unit, length in evaluation["every"].items() if length is not None}
    if evaluation["every"] == EVERY_PASS:
        del evaluation["every"]


def plain_phases(training: dict[str, Any]) -> None:
    """Take away, in place, that phases do not count steps."""
    for phases in (training["schedule"], *training.get("values", {}).values()):
        for phase in phases:
            if phase.get("steps") == "none":
                del phase["steps"]


def ends_with_record(config: dict[str, Any]) -> bool:
    """Whether a training is known to end where a record does that is as long as all others."""
    [(unit, length)] = config["evaluation"].get("every", EVERY_PASS).items()
    bounds = {name: config["training"][name] for name in LENGTHS if name in config["training"]}
    key = "epochs" if unit == "epochs" else "max_steps"
    return set(bounds) == {key} and bounds[key] % length == 0
