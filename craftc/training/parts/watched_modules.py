"""Watches a model run: what some of its modules are given and return, and whether the model adds that to something."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

ADDED = ("add", "add_", "__add__", "__radd__", "__iadd__")
CHANGED_ONLY = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "mul", "mul_", "__mul__", "__rmul__", "__imul__", "div", "to",
    "float", "type", "view", "reshape", "flatten", "unflatten", "transpose", "permute", "movedim", "unsqueeze",
    "squeeze", "expand", "contiguous", "clone", "__getitem__", "roll",
)  # fmt: skip
"""What a model may do with the output of a branch before it adds that."""
KEEPING = ("norm", "dropout", "droppath", "stochasticdepth", "layerscale")
"""In the class names of modules, without modules of their own, that give back what they are given, changed a little."""


@dataclass
class Seen:
    """Of a module in a pass of the whole model: of its first call what it was given and returned; how often it was
    called, how often that was added to something, and whether something else was computed of it, as of the state of a
    residual connection."""

    given: Tensor | None = None
    returned: Any = None
    num_calls: int = 0
    num_added: int = 0
    is_used_otherwise: bool = False


class _Additions(TorchFunctionMode):
    """Follows the outputs of modules to where the model adds them to something."""

    def __init__(self) -> None:
        super().__init__()
        self._followed: dict[int, tuple[Tensor, Seen]] = {}  # the tensors are kept, so that ids are not used again

    def follow(self, returned: Any, seen: Seen) -> None:
        """From now on, the first tensor that a module returned."""
        if (output := first_tensor(returned)) is not None:
            self._followed[id(output)] = (output, seen)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        returned = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        given = [each for each in (*args, *(kwargs or {}).values()) if isinstance(each, Tensor)]
        for tensor in given:
            _, seen = self._followed.get(id(tensor), (None, None))
            if seen is None:
                continue
            others = [each for each in given if each is not tensor and not isinstance(each, nn.Parameter)]
            if name in ADDED and others:
                seen.num_added += 1
            elif name in CHANGED_ONLY and isinstance(returned, Tensor):
                self._followed[id(returned)] = (returned, seen)
            elif isinstance(returned, Tensor | tuple | list):
                seen.is_used_otherwise |= not isinstance(returned, torch.Size)
        return returned


@contextmanager
def watched(modules: Sequence[nn.Module]) -> Iterator[dict[int, Seen]]:
    """What is seen of each module while the model runs, by its identity: one that is in several places is seen once."""
    seen_of = {id(module): Seen() for module in modules}
    additions = _Additions()

    def look(module: nn.Module, args: Any, kwargs: Any, returned: Any) -> None:
        seen = seen_of[id(module)]
        seen.num_calls += 1
        if seen.num_calls == 1:
            seen.given, seen.returned = first_tensor([*args, *kwargs.values()]), returned
        additions.follow(returned, seen)

    hooks = [module.register_forward_hook(look, with_kwargs=True) for module in set(modules)]
    try:
        with additions:
            yield seen_of
    finally:
        for hook in hooks:
            hook.remove()


def first_tensor(values: Any) -> Tensor | None:
    """Of what a module is given or returns."""
    if isinstance(values, Tensor):
        return values
    several = values if isinstance(values, list | tuple) else ()
    return next((each for each in several if isinstance(each, Tensor)), None)


def is_branch(module: nn.Module, seen: Seen) -> bool:
    """Whether the model adds what the module returns to something else."""
    name, is_leaf = type(module).__name__.lower(), next(module.children(), None) is None
    is_activation = type(module).__module__ == "torch.nn.modules.activation"
    if is_leaf and (is_activation or any(word in name for word in KEEPING)):
        return False
    return seen.num_added >= seen.num_calls and not seen.is_used_otherwise
