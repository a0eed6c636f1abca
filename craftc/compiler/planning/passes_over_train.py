"""Counts how many passes over the train split a trial takes at the most, by its configuration and the size of that."""

from typing import Any

from craftc.schemas.result import Result
from craftc.schemas.samples_per_step import samples_per_step


def steps_per_pass(config: dict[str, Any], num_train: int) -> int:
    """With the last, smaller step."""
    return max(1, -(-num_train // samples_per_step(config["training"])))


def most_passes(config: dict[str, Any], num_train: int) -> float | None:
    """None where tokens alone end the training: how many there are is not known of a configuration."""
    training = config["training"]
    bounds = [float(training["epochs"])] if "epochs" in training else []
    if "max_steps" in training:
        bounds.append(training["max_steps"] / steps_per_pass(config, num_train))
    return min(bounds, default=None)


def passes_of_a_record(config: dict[str, Any], num_train: int) -> float:
    """How long a record is."""
    every: dict[str, int] = config.get("evaluation", {}).get("every", {"epochs": 1})
    if "steps" in every:
        return every["steps"] / steps_per_pass(config, num_train)
    return float(every["epochs"])


def passes_taken(config: dict[str, Any], result: Result, num_train: int) -> float:
    """How many a finished trial took: its records, where each is one."""
    is_whole = (
        "every" not in config.get("evaluation", {}) and not {"max_steps", "max_tokens"} & config["training"].keys()
    )
    return result.epochs_trained if is_whole else result.steps / steps_per_pass(config, num_train)
