"""Makes columns of arrays by name, whose types say their kinds, and names their roles."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError
from craftc.components.sources.columns import ROLES, Column, ColumnKind, Columns, Role
from craftc.components.sources.exact_numbers import as_floats
from craftc.components.sources.samples import TARGET, number_classes

_ROLES: dict[str, Role] = {TARGET: "target", "targets": "target", "labels": "target", "label": "target"}
_ROLES |= {role: role for role in ROLES if role != "input"}
_ROLES |= {"attention_mask": "mask", "weights": "weight", "groups": "group", "ids": "id"}
_HINT = "return craftc's own Columns, which say the kind and role of each"


def guessed(arrays: Mapping[str, NDArray[Any]]) -> Columns:
    """Columns of arrays (N, ...). Raises DataError where an array may be of several kinds, or is of none.

    Of the names `y`, `target(s)` and `label(s)` it is the target, of `mask`, `weight`, `group` and `id` what these say,
    of any other an input. Floats are quantities, text and one whole number a sample are classes, rows of whole numbers
    tokens; booleans are a mask, or of a target (N, C) several labels.
    """
    return Columns({name: column_of(name, values, _ROLES.get(name, "input")) for name, values in arrays.items()})


def column_of(name: str, values: NDArray[Any], role: Role) -> Column:
    """One array as a column of that role. Raises DataError."""
    if role in ("group", "id"):
        return Column(values, "class", role)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.dtype.kind == "f" or role == "weight":
        return Column(as_floats(values), "real", role)
    if values.dtype.kind == "b":
        if role == "target" and values.ndim == 2:
            return Column(values.astype(np.float32), "classes", role)
        return Column(values, "mask", role) if role == "mask" or values.ndim > 1 else _classes(values, role)
    if role == "mask" and values.dtype.kind in "iu":
        return Column(values != 0, "mask", role)
    if values.dtype.kind in "iuU" and values.ndim == 1:
        return _classes(values, role)
    if values.dtype.kind in "iu":
        kind: ColumnKind = "token" if values.ndim == 2 else "class"
        return Column(values.astype(np.int64), kind, role)
    message = f"its column {name} is of type {values.dtype} and shape {values.shape}"
    raise DataError("source-failed", message, _HINT)


def are_no_classes(targets: NDArray[Any]) -> bool:
    """Whether targets are no classes: floats, which are quantities, or rows of booleans, which are several labels."""
    return targets.dtype.kind == "f" or (targets.dtype.kind == "b" and targets.ndim == 2)


def _classes(labels: NDArray[Any], role: Role) -> Column:
    numbers, names = number_classes(labels)
    return Column(numbers, "class", role, names)
