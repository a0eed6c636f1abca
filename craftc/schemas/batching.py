"""The finding of a measurement: whether trials of one group are best trained as one batch."""

from itertools import pairwise

from pydantic import Field

from craftc.schemas.frozen import Frozen

LEAST_GAIN = 1.25
"""How many times as many steps a second a batch must take for it to be worth other roundings."""


class BatchFinding(Frozen):
    """What a try came to, for trials of one likeness on one kind of machine.

    `because` says why they cannot be one batch. `seconds` are those of one step, by the number of trainings that take
    it; `training_bytes` the memory that each takes. `most` is set where more did not fit.
    """

    because: str | None = None
    seconds: dict[int, float] = Field(default_factory=dict)
    training_bytes: int = Field(0, ge=0)
    most: int | None = Field(None, ge=1)

    def gain(self, size: int) -> float:
        """How many times the steps a second of training one after another. `size` is not above the largest measured."""
        return size * self.seconds[1] / self._seconds(size)

    def leaves_open(self, size: int) -> bool:
        """Whether so many at a time, of which more than were ever measured would fit, may be better than what was."""
        return self.because is None and self.most is None and bool(self.seconds) and max(self.seconds) < size

    def best_size(self, num_trainings: int) -> int:
        """How many of so many are best trained at a time: 1 where a batch is not possible, or not worth it."""
        if self.because is not None or not self.seconds:
            return 1
        most = min(num_trainings, max(self.seconds), self.most or num_trainings)
        best = max(range(1, most + 1), key=self.gain)
        return best if self.gain(best) >= LEAST_GAIN else 1

    def _seconds(self, size: int) -> float:
        """Measured, or on a straight line between two that are."""
        for (below, low), (above, high) in pairwise(sorted(self.seconds.items())):
            if below <= size <= above:
                return low + (high - low) * (size - below) / (above - below)
        return self.seconds[size]
