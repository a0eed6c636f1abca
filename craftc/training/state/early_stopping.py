"""Decides when to stop early: when a recorded metric has not improved for `patience` epochs."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from craftc.schemas.result import Metrics
from craftc.training.foundation.best import Best, watched_value

Setting = Mapping[str, Any] | Literal["none"]
"""`training.early_stopping`: {metric, mode, patience, min_delta}."""


def watch(best: Best, setting: Setting, metrics: Metrics, measured: Collection[str], epoch: int) -> Best:
    """The metric's best after this epoch. Its distance to the current epoch is all the state that stopping needs.

    An epoch in which the metric is not finite is no improvement.
    """
    if isinstance(setting, str):
        return best
    value = watched_value(metrics, setting["metric"], measured, "training.early_stopping", epoch)
    return best if value is None else best.after(epoch, value, setting["mode"], setting["min_delta"])


def is_stopped(best: Best, setting: Setting, epoch: int) -> bool:
    """Whether the last `patience` epochs up to `epoch` (all that are trained) brought no improvement."""
    if isinstance(setting, str):
        return False
    patience: int = setting["patience"]
    return epoch - best.epoch >= patience
