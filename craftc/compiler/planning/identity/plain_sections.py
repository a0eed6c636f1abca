"""Leaves out of a configuration the keys that a spec does not use: those who never heard of them read it as it was."""

from typing import Any

from craftc.schemas.catalogue import OUTPUT
from craftc.schemas.terms import plain_objective


def plain_sections(config: dict[str, Any]) -> None:
    """Take away, in place: a kind beside terms or terms beside a kind, values of a training that has none, and what is
    done with a model's output where nothing is."""
    config["objective"] = plain_objective(config["objective"])
    if not config["training"]["values"]:
        del config["training"]["values"]
    if config["model"].get(OUTPUT) == "none":
        del config["model"][OUTPUT]
