"""Normalizers of numbers; every statistic comes from the train split.

What they are given is as exact as its source, and what they return is float32: they compute in float64 between.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Inputs = NDArray[np.float32] | NDArray[np.float64]
Normalized = NDArray[np.float32]
LEAST_CONTRAST = 1e-30
"""Below it, a split has no contrast: other values divided by it would leave float32."""


class Identity:
    """Leaves the inputs as they are."""

    def fit(self, x_train: Inputs) -> None:
        """Learn nothing."""

    def __call__(self, x: Inputs) -> Normalized:
        """Return `x`, rounded to float32."""
        return x.astype(np.float32, copy=False)

    def of_batch(self, x: Tensor) -> Tensor:
        """The same of a batch, (..., *shape), on its device; so for the others."""
        return x.float()


class PerLine:
    """Subtracts from each line its own mean, then divides by one scale, or each line by its own.

    A line is the last axis of a sample: an image row, or all features of a table's row.

    Args:
        scale: dataset: one number, the standard deviation of the train split once its lines are centred, so that
            differences in contrast between lines are kept; line: that of the line itself, so that each line has mean 0
            and deviation 1, whatever its gain. A line without contrast becomes 0.
    """

    takes = ("images", "table")
    pools_columns = "subtracts from each row the mean"

    def __init__(self, *, scale: Literal["dataset", "line"] = "dataset") -> None:
        self.scale = scale
        self._scale: float | None = None

    def fit(self, x_train: Inputs) -> None:
        """Take the scale from the train split, (N, *shape). A split without contrast has scale 1."""
        self._scale = _scale(float(_centre_lines(x_train).std())) if self.scale == "dataset" else 1.0

    def __call__(self, x: Inputs) -> Normalized:
        """Normalize `x`, (N, *shape). Raises RuntimeError before `fit`."""
        if self._scale is None:
            raise RuntimeError("per_line was used before it was fitted")
        centred = _centre_lines(x)
        if self.scale == "dataset":
            return (centred / self._scale).astype(np.float32)
        deviations = x.std(axis=-1, keepdims=True, dtype=np.float64)
        # A mean is rounded, and so the deviation of what is constant need not be 0.
        is_constant = x.max(axis=-1, keepdims=True) == x.min(axis=-1, keepdims=True)
        return (centred / np.where(is_constant | (deviations < LEAST_CONTRAST), np.inf, deviations)).astype(np.float32)

    def of_batch(self, x: Tensor) -> Tensor:
        """See Identity.of_batch."""
        assert self._scale is not None
        exact = exact_of(x)
        centred = exact - exact.mean(dim=-1, keepdim=True)
        if self.scale == "dataset":
            return (centred / self._scale).float()
        deviations = centred.square().mean(dim=-1, keepdim=True).sqrt()
        is_constant = exact.amax(dim=-1, keepdim=True) == exact.amin(dim=-1, keepdim=True)
        return (centred / deviations.masked_fill(is_constant | (deviations < LEAST_CONTRAST), math.inf)).float()


class PerDataset:
    """Subtracts the mean of the train split and divides by its standard deviation, each one number."""

    takes = ("images", "table")
    pools_columns = "takes one mean and one scale"

    def __init__(self) -> None:
        self._mean_and_scale: tuple[float, float] | None = None

    def fit(self, x_train: Inputs) -> None:
        """Take both numbers from the train split, (N, *shape). A split without contrast has scale 1."""
        mean = float(x_train.mean(dtype=np.float64))
        self._mean_and_scale = mean, _scale(float(x_train.std(dtype=np.float64)))

    def __call__(self, x: Inputs) -> Normalized:
        """Normalize `x`, (N, *shape). Raises RuntimeError before `fit`."""
        if self._mean_and_scale is None:
            raise RuntimeError("per_dataset was used before it was fitted")
        mean, scale = self._mean_and_scale
        return ((x.astype(np.float64) - mean) / scale).astype(np.float32)

    def of_batch(self, x: Tensor) -> Tensor:
        """See Identity.of_batch."""
        assert self._mean_and_scale is not None
        mean, scale = self._mean_and_scale
        return ((exact_of(x) - mean) / scale).float()


class PerFeature:
    """Each number of a sample by the mean and the standard deviation that this number has over the train split.

    For a table that is each column by itself, whatever its unit; for an image each pixel. What is constant in the train
    split becomes 0.
    """

    takes = ("images", "table")

    def __init__(self) -> None:
        self._means_and_scales: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._on_device: dict[str, tuple[Tensor, Tensor]] = {}

    def fit(self, x_train: Inputs) -> None:
        """Take the means and the deviations, each (*shape), from the train split, (N, *shape)."""
        with np.errstate(over="ignore", invalid="ignore"):
            deviations = x_train.std(axis=0, dtype=np.float64)
        if not np.isfinite(deviations).all():  # their squares are beyond float64
            largest = np.abs(x_train).max(axis=0)
            deviations = (x_train / largest).std(axis=0, dtype=np.float64) * largest
        # Nothing is known of the scale of what is constant: divided by infinity, it is 0 in every split.
        scales = np.where(deviations >= LEAST_CONTRAST, deviations, np.inf)
        self._means_and_scales = x_train.mean(axis=0, dtype=np.float64), scales

    def __call__(self, x: Inputs) -> Normalized:
        """Normalize `x`, (N, *shape). Raises RuntimeError before `fit`."""
        if self._means_and_scales is None:
            raise RuntimeError("per_feature was used before it was fitted")
        means, scales = self._means_and_scales
        return ((x.astype(np.float64) - means) / scales).astype(np.float32)

    def of_batch(self, x: Tensor) -> Tensor:
        """See Identity.of_batch."""
        assert self._means_and_scales is not None
        device = str(x.device)
        if device not in self._on_device:
            means, scales = (to_device(values, x) for values in self._means_and_scales)
            self._on_device[device] = means, scales
        means, scales = self._on_device[device]
        return ((exact_of(x) - means) / scales).float()


def _scale(deviation: float) -> float:
    return deviation if deviation >= LEAST_CONTRAST else 1.0


def to_device(values: NDArray[np.float64], x: Tensor) -> Tensor:
    import torch

    rounded = torch.from_numpy(values.astype(np.float32) if x.device.type == "mps" else values)
    return rounded.to(x.device)


def exact_of(x: Tensor) -> Tensor:
    """With 64 bits; Apple's GPUs have 32."""
    return x.float() if x.device.type == "mps" else x.double()


def _centre_lines(x: Inputs) -> NDArray[np.float64]:
    centred: NDArray[np.float64] = x.astype(np.float64) - x.mean(axis=-1, keepdims=True, dtype=np.float64)
    return centred
