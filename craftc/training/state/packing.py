"""Packs the small tensors of a nested state into a few, and unpacks them.

torch takes 20 us to write a tensor, however small, and an optimizer has three for each parameter of a model.
"""

import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

MOST_NUMBERS = 2**14
"""Of a tensor that is put together with others: writing a larger one takes longer than this saves."""
STANDS_FOR_TENSOR = "\0tensor"


def packed(state: Any) -> dict[str, Any]:
    """Of dicts, lists and tuples, tensors and plain values."""
    rows: dict[str, list[Tensor]] = {}
    shapes: list[list[Any]] = []

    def without_tensors(value: Any) -> Any:
        if isinstance(value, Tensor) and value.numel() <= MOST_NUMBERS and value.is_contiguous():
            kind = f"{value.dtype} {value.device}"
            rows.setdefault(kind, []).append(value.detach().flatten())
            shapes.append([kind, *value.shape])
            return STANDS_FOR_TENSOR
        return _mapped(value, without_tensors)

    tree = without_tensors(state)
    return {"tree": tree, "shapes": json.dumps(shapes), "rows": {kind: torch.cat(some) for kind, some in rows.items()}}


def unpacked(state: dict[str, Any]) -> Any:
    """The reverse of `packed`, in tensors that share no memory."""
    shapes: list[list[Any]] = json.loads(state["shapes"])
    sizes: dict[str, list[int]] = {}
    for kind, *shape in shapes:
        sizes.setdefault(kind, []).append(torch.Size(shape).numel())
    pieces = {kind: iter(torch.split(state["rows"][kind], some)) for kind, some in sizes.items()}
    tensors: Iterator[Tensor] = (next(pieces[kind]).view(shape).clone() for kind, *shape in shapes)

    def with_tensors(value: Any) -> Any:
        if isinstance(value, str) and value == STANDS_FOR_TENSOR:
            return next(tensors)
        return _mapped(value, with_tensors)

    return with_tensors(state["tree"])


def _mapped(value: Any, function: Any) -> Any:
    """`function` of each thing that a value contains, in their order."""
    if isinstance(value, dict):
        return {name: function(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(function, value)) if type(value) in (list, tuple) else value
    return value
