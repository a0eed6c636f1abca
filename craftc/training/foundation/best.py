"""Holds the best value of a metric so far, and its epoch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from craftc.schemas.result import Metrics
from craftc.training.foundation.errors import TrainingError

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Best:
    """`epoch` counts from 1. While `value` is None no epoch had a value, and the latest stands for the best."""

    epoch: int = 0
    value: float | None = None

    def after(self, epoch: int, value: float, mode: Mode, min_delta: float = 0.0) -> "Best":
        """With one more epoch seen. Only a change of more than `min_delta` counts, so that a tie keeps the earlier."""
        if self.value is None:
            return Best(epoch, value)
        gain = value - self.value if mode == "max" else self.value - value
        return Best(epoch, value) if gain > min_delta else self


def watched_value(metrics: Metrics, name: str, measured: Collection[str], asked_by: str, epoch: int) -> float | None:
    """A metric on which training depends; None where it was not finite in this epoch. `measured` are the names, without
    their splits, of all metrics that are computed.

    Raises TrainingError `metric-not-recorded` where nothing computes it.
    """
    if name in metrics:
        return metrics[name]
    if name in not_finite(metrics, measured):
        return None
    raise TrainingError(
        "metric-not-recorded",
        f"{asked_by} watches {name}, which nothing computes; recorded: {', '.join(sorted(metrics))}",
        epoch,
    )


def not_finite(metrics: Metrics, measured: Collection[str]) -> list[str]:
    """`<split>/<metric>` of what was computed and came to no finite number. Of every split, and every pass over it, the
    loss is recorded."""
    measured_of = [name.removesuffix("loss") for name in metrics if name.endswith(("/loss", ".loss"))]
    names = (f"{of}{metric}" for of in measured_of for metric in measured)
    return [name for name in names if name not in metrics]


def select(
    best: Best, setting: Mapping[str, Any] | Literal["none"], metrics: Metrics, measured: Collection[str], epoch: int
) -> Best:
    """Follow `evaluation.select`; with "none" the last epoch is the best. An epoch without value is no improvement."""
    if isinstance(setting, str):
        return Best(epoch)
    value = watched_value(metrics, setting["metric"], measured, "evaluation.select", epoch)
    if value is None:
        return Best(epoch) if best.value is None else best
    return best.after(epoch, value, setting["mode"])
