"""Normalizers by channel, and those of scikit-learn for columns whose values are far from normal.

Every statistic comes from the train split. What is constant there becomes 0 in every split: nothing is known of its
scale.

N: samples of train, F: numbers of a sample, Q: quantiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from craftc.components.bounds import OpenFraction
from craftc.components.normalizers.numeric import LEAST_CONTRAST, Inputs, Normalized, exact_of, to_device

if TYPE_CHECKING:
    from torch import Tensor

Numbers = NDArray[np.float64]


class ByTwoNumbers:
    """Subtracts one number from another and divides by a third: `(x - centre) / scale`, in float64."""

    def __init__(self) -> None:
        self._fitted: tuple[Numbers, Numbers] | None = None
        self._on_device: dict[str, tuple[Tensor, Tensor]] = {}

    def _centres_and_scales(self, x_train: Inputs) -> tuple[Numbers, Numbers]:
        """Of samples (N, *shape), in a shape that broadcasts to *shape."""
        raise NotImplementedError

    def fit(self, x_train: Inputs) -> None:
        """Take both from the train split, (N, *shape)."""
        centres, scales = self._centres_and_scales(x_train)
        self._fitted = centres, np.where(np.abs(scales) >= LEAST_CONTRAST, scales, np.inf)
        self._on_device = {}

    def __call__(self, x: Inputs) -> Normalized:
        """Normalize `x`, (N, *shape). Raises RuntimeError before `fit`."""
        if self._fitted is None:
            raise RuntimeError(f"{type(self).__name__} was used before it was fitted")
        centres, scales = self._fitted
        return ((x.astype(np.float64) - centres) / scales).astype(np.float32)

    def of_batch(self, x: Tensor) -> Tensor:
        """See Identity.of_batch."""
        assert self._fitted is not None
        device = str(x.device)
        if device not in self._on_device:
            centres, scales = (to_device(np.asarray(values), x) for values in self._fitted)
            self._on_device[device] = centres, scales
        centres, scales = self._on_device[device]
        return ((exact_of(x) - centres) / scales).float()


class PerChannel(ByTwoNumbers):
    """Each channel of an image by its mean and its standard deviation over all pixels of the train split."""

    takes = ("images",)

    def _centres_and_scales(self, x_train: Inputs) -> tuple[Numbers, Numbers]:
        """(C, 1, 1) each, or of images (H, W) single numbers."""
        if x_train.ndim not in (3, 4):
            raise ValueError(f"per_channel needs images, (H, W) or (C, H, W), not samples of {x_train.shape[1:]}")
        axes = (0, -2, -1)
        means = x_train.mean(axis=axes, dtype=np.float64, keepdims=True)[0]
        deviations = x_train.std(axis=axes, dtype=np.float64, keepdims=True)[0]
        # A mean is rounded, and so the deviation of what is constant need not be 0.
        is_constant = (x_train.max(axis=axes, keepdims=True) == x_train.min(axis=axes, keepdims=True))[0]
        return means, np.where(is_constant, 0.0, deviations)


class MinMax(ByTwoNumbers):
    """Each number of a sample from 0 to 1, from its least to its greatest value in the train split.

    As scikit-learn's MinMaxScaler. Values of other splits may lie outside.
    """

    takes = ("images", "table")

    def _centres_and_scales(self, x_train: Inputs) -> tuple[Numbers, Numbers]:
        least = x_train.min(axis=0).astype(np.float64)
        return least, x_train.max(axis=0).astype(np.float64) - least


class Robust(ByTwoNumbers):
    """Each number of a sample by its median and its interquartile range in the train split, which a few wild values do
    not move. As scikit-learn's RobustScaler.

    A number of which more than half are alike has no such range, and is divided by 1.

    Args:
        low: The quantile where the range begins.
        high: The quantile where it ends.
    """

    takes = ("images", "table")
    constraints = ("low < high",)

    def __init__(self, *, low: OpenFraction = 0.25, high: OpenFraction = 0.75) -> None:
        super().__init__()
        self.low, self.high = low, high

    def _centres_and_scales(self, x_train: Inputs) -> tuple[Numbers, Numbers]:
        exact = x_train.astype(np.float64)
        low, middle, high = np.quantile(exact, [self.low, 0.5, self.high], axis=0)
        is_constant = exact.max(axis=0) - exact.min(axis=0) < LEAST_CONTRAST
        ranges = np.where(high - low >= LEAST_CONTRAST, high - low, 1.0)
        return middle, np.where(is_constant, 0.0, ranges)


class Quantile:
    """Each number of a sample by its rank in the train split, so that it is spread evenly, or normally.

    As scikit-learn's QuantileTransformer, fitted to all rows: between two quantiles of train a value is interpolated,
    and what is beyond all of them is taken for the last. Networks often train better with it (Gorishniy et al. 2021).

    Args:
        output: What the numbers are spread like: a normal distribution, or evenly from 0 to 1.
        num_quantiles: Quantiles that are kept of each number; of fewer rows, as many.
    """

    takes = ("table",)
    search_ranges: ClassVar = {"num_quantiles": {"choice": [10, 100, 1000]}}

    def __init__(
        self, *, output: Literal["normal", "uniform"] = "normal", num_quantiles: Annotated[int, Ge(2)] = 1000
    ) -> None:
        self.output, self.num_quantiles = output, num_quantiles
        self._quantiles_QF: Numbers | None = None
        self._on_device: dict[str, tuple[Tensor, Tensor]] = {}

    def fit(self, x_train: Inputs) -> None:
        """Take the quantiles from the train split, (N, *shape)."""
        from sklearn.preprocessing import QuantileTransformer

        rows = x_train.reshape(len(x_train), -1).astype(np.float64)
        fitted = QuantileTransformer(n_quantiles=min(self.num_quantiles, len(rows)), subsample=None).fit(rows)
        self._quantiles_QF = fitted.quantiles_
        self._on_device = {}

    def __call__(self, x: Inputs) -> Normalized:
        """Normalize `x`, (N, *shape). Raises RuntimeError before `fit`."""
        if self._quantiles_QF is None:
            raise RuntimeError("quantile was used before it was fitted")
        from sklearn.preprocessing import QuantileTransformer

        rows = x.reshape(len(x), -1).astype(np.float64)
        fitted: Any = QuantileTransformer(output_distribution=self.output)
        # All that it is fitted to.
        fitted.quantiles_, fitted.n_features_in_ = self._quantiles_QF, rows.shape[1]
        fitted.n_quantiles_ = len(self._quantiles_QF)
        fitted.references_ = np.linspace(0, 1, fitted.n_quantiles_)
        found = np.where(self._is_constant, 0.0, fitted.transform(rows))
        return found.reshape(x.shape).astype(np.float32)

    @property
    def _is_constant(self) -> NDArray[np.bool_]:
        assert self._quantiles_QF is not None
        found: NDArray[np.bool_] = self._quantiles_QF[-1] - self._quantiles_QF[0] < LEAST_CONTRAST
        return found

    def of_batch(self, x: Tensor) -> Tensor:
        """See Identity.of_batch."""
        import torch

        assert self._quantiles_QF is not None
        device = str(x.device)
        if device not in self._on_device:
            quantiles, constant = np.ascontiguousarray(self._quantiles_QF.T), self._is_constant
            self._on_device[device] = to_device(quantiles, x), torch.from_numpy(constant).to(x.device)
        quantiles_FQ, is_constant_F = self._on_device[device]
        rows_FN = exact_of(x).reshape(-1, len(quantiles_FQ)).T.contiguous()
        # Of values that many rows share, scikit-learn takes the middle between the first and the last such quantile.
        first, last = _interpolated(rows_FN, quantiles_FQ), 1 - _interpolated(-rows_FN, -quantiles_FQ.flip(1))
        ranks = torch.where(
            rows_FN <= quantiles_FQ[:, :1], 0.0, torch.where(rows_FN >= quantiles_FQ[:, -1:], 1.0, (first + last) / 2)
        )
        if self.output == "normal":
            end = 5.199337582605575  # the quantile at 1 - 1e-7, where scikit-learn cuts
            ranks = torch.special.ndtri(ranks).clamp(-end, end)
        return torch.where(is_constant_F[:, None], 0.0, ranks).T.reshape(x.shape).float()


def _interpolated(rows_FN: Tensor, quantiles_FQ: Tensor) -> Tensor:
    """The rank of each value among the quantiles of its number, from 0 to 1, as numpy.interp finds it."""
    import torch

    most = quantiles_FQ.shape[1] - 1
    above_FN = torch.searchsorted(quantiles_FQ, rows_FN, right=True)
    low_FN = (above_FN - 1).clamp(0, most - 1)
    start, end = quantiles_FQ.gather(1, low_FN), quantiles_FQ.gather(1, low_FN + 1)
    within = ((rows_FN - start) / (end - start)).nan_to_num(nan=1.0).clamp(0, 1)
    return (low_FN + within) / most
