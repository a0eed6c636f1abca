"""Defines labelled samples, which every source but one of text returns, and checks them once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError


@dataclass(frozen=True)
class Samples:
    """Labelled samples.

    Args:
        inputs: float32, (N, F) tables, (N, H, W) grey images or (N, C, H, W); finite.
        targets: int64, (N,), from 0 to the number of classes minus 1.
        class_names: Name of each class, in the order of the targets' numbers.

    Raises:
        DataError: Shapes, types or numbers that do not fit together.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise DataError("data-mismatch", f"the samples do not fit together: {problem}", "check the data source")

    def _problem(self) -> str | None:
        inputs, targets = self.inputs, self.targets
        if inputs.dtype != np.float32 or targets.dtype != np.int64:
            return f"inputs are {inputs.dtype} and targets {targets.dtype}, not float32 and int64"
        if inputs.ndim not in (2, 3, 4):
            return f"inputs of shape {inputs.shape} are neither (N, F), (N, H, W) nor (N, C, H, W)"
        if targets.shape != (len(inputs),):
            return f"{len(inputs)} inputs, but targets of shape {targets.shape}"
        if 0 in inputs.shape:
            return f"inputs of shape {inputs.shape} hold nothing"
        if targets.min() < 0 or targets.max() >= len(self.class_names):
            return f"targets from {targets.min()} to {targets.max()} for {len(self.class_names)} classes"
        if not np.isfinite(inputs).all():
            return f"sample {int(np.argwhere(~np.isfinite(inputs))[0, 0])} (from 0) holds NaN or infinity"
        return None


def number_classes(labels: Sequence[str] | NDArray[np.generic]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the distinct labels from 0 in their order: by value where all are whole numbers, else as text."""
    texts = [str(label) for label in labels]
    names = sorted(set(texts), key=int if all(_is_whole(text) for text in texts) else None)
    positions = {name: position for position, name in enumerate(names)}
    return np.array([positions[text] for text in texts], dtype=np.int64), tuple(names)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
