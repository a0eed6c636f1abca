"""Counts the samples of one optimizer step by the section `training`."""

from collections.abc import Mapping
from typing import Any


def samples_per_step(training: Mapping[str, Any]) -> int:
    """Of a trial's configuration: `batch_size` times `accumulate`. The last step of a pass may have fewer."""
    return int(training["batch_size"]) * int(training.get("accumulate", 1))
