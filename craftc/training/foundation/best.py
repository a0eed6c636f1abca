"""Holds the best value of a metric so far, and its epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from craftc.schemas.result import Metrics
from craftc.training.foundation.errors import TrainingError

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Best:
    """`epoch` counts from 1; 0 and None before the first value."""

    epoch: int = 0
    value: float | None = None

    def after(self, epoch: int, value: float, mode: Mode, min_delta: float = 0.0) -> "Best":
        """With one more epoch seen. Only a change of more than `min_delta` counts, so that a tie keeps the earlier."""
        if self.value is None:
            return Best(epoch, value)
        gain = value - self.value if mode == "max" else self.value - value
        return Best(epoch, value) if gain > min_delta else self


def watched_value(metrics: Metrics, name: str, asked_by: str, epoch: int) -> float:
    """A metric on which training depends. Raises TrainingError `metric-not-recorded` where it is absent."""
    if name in metrics:
        return metrics[name]
    raise TrainingError(
        "metric-not-recorded",
        f"{asked_by} watches {name}, which epoch {epoch} did not record; recorded: {', '.join(sorted(metrics))}",
        epoch,
    )


def select(best: Best, setting: Mapping[str, Any] | Literal["none"], metrics: Metrics, epoch: int) -> Best:
    """Follow `evaluation.select`; with "none" the last epoch is the best."""
    if isinstance(setting, str):
        return Best(epoch)
    value = watched_value(metrics, setting["metric"], "evaluation.select", epoch)
    return best.after(epoch, value, setting["mode"])
