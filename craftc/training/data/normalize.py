"""Normalizes columns by what the train split alone shows: whole splits once, or batches of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.build import build
from craftc.components.errors import DataError, added_to, raise_all
from craftc.components.own_line import told
from craftc.components.sources.columns import Column
from craftc.schemas.catalogue import is_own
from craftc.training.data.layout import laid_out_batch
from craftc.training.data.resolution import check_finite


@dataclass(frozen=True)
class NormalizeBatch:
    """A normalizer, fitted on train, and the layout, for batches (B, *shape) of samples as the source gives them.

    `is_own`: it is the user's, and called with arrays, on the CPU. Of a table, `num_numbers` of each sample are
    normalized, and the columns of 0 and 1 behind them are not; None: all.
    """

    normalizer: Any
    layout: str
    is_own: bool
    num_numbers: int | None = None

    def __call__(self, x_B: Any) -> Any:
        """What a model is given, float32; where not `is_own`, under vmap, too."""
        if self.num_numbers is None:
            return self._all(x_B)
        import torch

        normalized, others = self._all(x_B[..., : self.num_numbers]), x_B[..., self.num_numbers :]
        others = others.reshape(*normalized.shape[:-1], others.shape[-1])
        return torch.cat([normalized, others.to(normalized.dtype)], dim=-1)

    def _all(self, x_B: Any) -> Any:
        if not self.is_own:
            return laid_out_batch(self.normalizer.of_batch(x_B), self.layout)
        import torch

        normalized = np.ascontiguousarray(self.normalizer(x_B.cpu().numpy()), dtype=np.float32)
        return laid_out_batch(torch.from_numpy(normalized).to(x_B.device), self.layout)


def normalize_batch(settings: Mapping[str, Any], source: NDArray[Any]) -> NormalizeBatch:
    """The normalizer as it was fitted: on the same samples."""
    normalizer = build("normalizers", settings["normalize"])
    normalizer.fit(source)
    return NormalizeBatch(normalizer, settings.get("layout", "source"), is_own(settings["normalize"]["kind"]))


def normalized_splits(setting: Mapping[str, Any], columns: Mapping[str, Column]) -> dict[str, NDArray[np.float32]]:
    """A column of every split as the normalizer, fitted on train, returns it: it computes with all bits that the source
    gives, and only then they are rounded to float32."""
    inputs = {split: column.values for split, column in columns.items()}

    def run() -> dict[str, NDArray[np.float32]]:
        normalize = build("normalizers", setting)
        normalize.fit(inputs["train"])
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is reported as such
            return {name: np.ascontiguousarray(normalize(x), dtype=np.float32) for name, x in inputs.items()}

    if not is_own(setting["kind"]):
        found = run()
        errors: list[DataError] = []
        for name, x in found.items():
            with added_to(errors):
                check_finite(name, inputs[name], x, columns[name].names)
        raise_all(errors)
        return found
    hint = "a normalizer has fit(x_train) and, called with x, returns as many samples, finite"
    try:
        normalized = run()
    except Exception as error:
        raise DataError("normalizer-failed", f"{setting['kind']}: {told(error)}", hint, "data.normalize") from error
    for name, x in normalized.items():
        if x.ndim < 2 or len(x) != len(inputs[name]) or not np.isfinite(x).all():
            what = f"turned {name}, {inputs[name].shape}, into {x.shape}"
            what += "" if np.isfinite(x).all() else " with NaN or infinity in it"
            raise DataError("normalizer-failed", f"{setting['kind']} {what}", hint, "data.normalize")
    return normalized
