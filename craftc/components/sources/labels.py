"""Numbers and names the classes of labels of any kind."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def number_classes(labels: Sequence[str] | NDArray[np.generic]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the distinct labels from 0 in their order: by value where all are whole numbers, else as text."""
    texts = [str(label) for label in labels]
    names = sorted(set(texts), key=int if all(_is_whole(text) for text in texts) else None)
    positions = {name: position for position, name in enumerate(names)}
    return np.array([positions[text] for text in texts], dtype=np.int64), tuple(names)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
