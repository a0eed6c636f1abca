"""Finds where a trial's loss on the split that selects was least, and what became of it after."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from craftc.schemas.result import EpochRecord


@dataclass(frozen=True)
class TurningPoint:
    """Means over trials. `metric` is the loss that turned, least at record `at` of `last`."""

    metric: str
    at: float
    last: float
    least: float
    at_last: float


def turning_point(histories: Iterable[Sequence[EpochRecord]], split: str) -> TurningPoint | None:
    """Of `<split>/loss`, over trials that recorded it; None where none did."""
    metric = f"{split}/loss"
    found = []
    for history in histories:
        losses = [(record.metrics[metric], record.epoch) for record in history if metric in record.metrics]
        if losses:
            least, at = min(losses)
            found.append((at, losses[-1][1], least, losses[-1][0]))
    if not found:
        return None
    means = [fmean(values) for values in zip(*found, strict=True)]
    return TurningPoint(metric, *means)
