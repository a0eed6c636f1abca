"""Defines the errors of a training trial: a permanent code, one sentence, and the epoch."""

import math


class TrainingError(Exception):
    """A trial that cannot be trained to its end.

    Codes: `nan-loss`, `trial-exited`, `model-output-shape`, `metric-not-recorded`, `checkpoint-corrupt`, and
    `<part>-not-buildable` of `model`, `objective`, `metrics`, `optimizer`, `schedule`, `values`, `augmentations`;
    of what raises later, `objective-failed`, `metric-failed`, `optimizer-failed`, `schedule-failed`, `value-failed`,
    `augmentation-failed`; `nothing-to-train`, `micro-batch-unfit`, `parameter-group-unmatched`,
    `parameter-groups-unfit`; `module-unmatched`, `module-not-removable`, `teacher-unfit`, `transcript-too-long`.
    `epoch` counts from 1 and is None before the first.
    """

    def __init__(self, code: str, message: str, epoch: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.epoch = epoch

    def __reduce__(self) -> tuple[type["TrainingError"], tuple[str, str, int | None]]:
        # Exceptions cross process boundaries pickled; the default would call the class with the message alone.
        return TrainingError, (self.code, self.message, self.epoch)


def require_finite(value: float, what: str, epoch: int | None) -> None:
    """Raises TrainingError `nan-loss` where a value has left the finite numbers."""
    if not math.isfinite(value):
        when = "" if epoch is None else f" in epoch {epoch}"
        hint = "a lower learning rate, a longer warm-up or clip_grad_norm may help"
        raise TrainingError("nan-loss", f"{what}{when}; {hint}", epoch)
