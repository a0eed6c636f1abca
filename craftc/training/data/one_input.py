"""Joins the numbers and the categories of a table for models that have one input.

N: samples, F: numbers of a sample, K: categories of a sample, H: values of categories that train has.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.build import load_component
from craftc.components.declared import frozen_parts
from craftc.components.sources.columns import Column
from craftc.components.sources.samples import INPUT
from craftc.components.sources.table import CATEGORIES, NUMBERS
from craftc.schemas.catalogue import CARDINALITIES
from craftc.training.data.encode_table import one_hot
from craftc.training.data.split import Split


def takes_categories(model: Mapping[str, Any]) -> bool:
    """Whether a model, or the backbone that is given the data in its place, asks for categories as they are.

    It does so by a parameter `categories` of `forward`, or `cardinalities` of its constructor.
    """
    if (parts := frozen_parts(model["kind"])) is not None:
        return takes_categories(model[parts.backbone])
    try:
        component = load_component("models", model["kind"])
    except Exception:
        return False  # that it cannot be imported is reported where it is built
    forward = getattr(component, "forward", None) if inspect.isclass(component) else None
    return CATEGORIES in _parameters(forward) or CARDINALITIES in _parameters(component)


def _parameters(called: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(called).parameters)
    except (TypeError, ValueError):
        return frozenset()


def has_categories(split: Split) -> bool:
    """Whether it has the categories of a table, (N, K), and with them no inputs but numbers, (N, F)."""
    column = split.columns.get(CATEGORIES)
    return column is not None and column.is_several and set(split.named("input")) <= {NUMBERS, CATEGORIES}


def values_in(train: Split) -> tuple[tuple[int, ...], ...]:
    """Which numbers of each category occur in train."""
    return tuple(tuple(np.unique(column).tolist()) for column in train.columns[CATEGORIES].values.T)


def joined(split: Split, in_train: tuple[tuple[int, ...], ...]) -> Split:
    """The split with its numbers, if it has some, and 0 and 1 for each value of `in_train` as one input, the first."""
    hot = one_hot(split.columns[CATEGORIES].values, in_train)
    names = tuple(
        f"{name}={number}"
        for name, numbers in zip(split.columns[CATEGORIES].names, in_train, strict=True)
        for number in numbers
    )
    column = Column(hot, "real", "input", names)
    if (numbers := split.columns.get(NUMBERS)) is not None:
        column = Column(_beside(numbers.values, hot), "real", "input", (*numbers.names, *names))
    kept = {name: other for name, other in split.columns.items() if name not in (NUMBERS, CATEGORIES)}
    return Split({INPUT: column, **kept})


def _beside(numbers: NDArray[Any], hot: NDArray[np.float32]) -> NDArray[Any]:
    """Both along the last axis; a layout may have given the numbers one more."""
    laid_out = hot.reshape(len(hot), *([1] * (numbers.ndim - 2)), hot.shape[1])
    return np.concatenate([numbers, laid_out.astype(numbers.dtype)], axis=-1)
