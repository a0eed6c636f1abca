"""Takes a step of each of K trainings by its own optimizer, as if the numbers of its model were one parameter.

Of an optimizer that treats every number of a model by itself that is the same, but for rounding, with as many
operations as one parameter needs.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from craftc.training.batched_trials.stacked_state import Stack

ELEMENTWISE = ("torch:NAdam", "torch:RAdam", "torch:RMSprop", "torch:Adagrad", "timm:Lion")
"""The optimizers of which that is known, by package and name, so that none is imported to ask."""


def name_of(optimizer: torch.optim.Optimizer) -> str:
    """The package and the name of an optimizer's class; the modules between them are private."""
    return f"{type(optimizer).__module__.partition('.')[0]}:{type(optimizer).__name__}"


class RowOptimizers:
    """See StackedOptimizer. What each optimizer keeps of a number is a row, of which its own state has views."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._optimizers = [parts.optimizer for parts in stack.parts]
        self._rows = [nn.Parameter(row, requires_grad=False) for row in stack.weights.detach().unbind()]
        self._each = [self._of_row(own, row) for own, row in zip(self._optimizers, self._rows, strict=True)]
        self._lrs: Sequence[Sequence[float]] = ()

    def plan(self, lrs: Sequence[Sequence[float]]) -> None:
        """See StackedOptimizer.plan."""
        self._lrs = lrs

    def step(self, index: int, gradient: Tensor) -> None:
        """See StackedOptimizer.step."""
        for optimizer, row, g, lr in zip(self._each, self._rows, gradient.unbind(), self._lrs[index], strict=True):
            row.grad = g
            optimizer.param_groups[0]["lr"] = lr
            optimizer.step()
            row.grad = None

    def settle(self) -> None:
        """See StackedOptimizer.settle."""
        for own, optimizer, row, lr in zip(self._optimizers, self._each, self._rows, self._lrs[-1], strict=True):
            own.param_groups[0]["lr"] = lr
            kept = optimizer.state[row]
            for number, parameter in enumerate(own.param_groups[0]["params"]):
                own.state[parameter] = {
                    name: self._stack.row_views(value)[number] if _is_row(value, row) else copy.deepcopy(value)
                    for name, value in kept.items()
                }

    def _of_row(self, own: torch.optim.Optimizer, row: nn.Parameter) -> torch.optim.Optimizer:
        """An optimizer of one parameter, as far as `own` is."""
        group = own.param_groups[0]
        optimizer = copy.copy(own)
        optimizer.param_groups = [{**group, "params": [row]}]
        optimizer.state = defaultdict(dict)
        states = [own.state[parameter] for parameter in group["params"] if own.state.get(parameter)]
        if states:
            shapes = [parameter.shape for parameter in group["params"]]
            optimizer.state[row] = {name: _joined([state[name] for state in states], shapes) for name in states[0]}
        return optimizer


def _is_row(value: Any, row: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == row.shape


def _joined(values: Sequence[Any], shapes: Sequence[torch.Size]) -> Any:
    """What is kept of each parameter as that of all of them: a row, or a number that they have in common."""
    if all(isinstance(value, Tensor) and value.shape == shape for value, shape in zip(values, shapes, strict=True)):
        is_number = all(shape.numel() == 1 and not shape for shape in shapes)
        return values[0].clone().view(1) if is_number else torch.cat([value.flatten() for value in values])
    return copy.deepcopy(values[0])
