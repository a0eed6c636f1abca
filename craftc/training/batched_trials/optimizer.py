"""Takes one step of the optimizers of K trainings at once.

K: trainings, N: trainable numbers of one model. Every training has its own learning rate at each step, and its own
betas, momentum and weight decay.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from craftc.components.optimizers.torch_optimizers import Sgd
from craftc.training.batched_trials.fused_adam import FusedAdam, fused_adam
from craftc.training.batched_trials.row_optimizer import ELEMENTWISE, RowOptimizers, name_of
from craftc.training.batched_trials.stacked_state import Stack

ADAMS = (torch.optim.Adam, torch.optim.AdamW)
SGDS = (torch.optim.SGD, Sgd)

PLAIN: dict[str, Any] = {
    "amsgrad": False,
    "maximize": False,
    "capturable": False,
    "differentiable": False,
    "dampening": 0,
}
"""Options that a batch knows only one value of."""

_BY_PARAMETER = "its step depends on which numbers are of one parameter"
_TWO_WEIGHTS = "its weights in training are others than in evaluation"
ALONE = {
    "torch:Adafactor": _BY_PARAMETER,
    "timm:Lamb": _BY_PARAMETER,
    "craftc:MuonWithAdamW": "its step makes each matrix orthogonal",
    "pytorch_optimizer:ScheduleFreeAdamW": _TWO_WEIGHTS,
    "pytorch_optimizer:ScheduleFreeSGD": _TWO_WEIGHTS,
}
"""Optimizers that a spec can name, and why they are in no batch, by package and name."""


class StackedOptimizer(Protocol):
    """The moments of K optimizers as rows, which their own states are views of."""

    def plan(self, lrs: Sequence[Sequence[float]]) -> None:
        """Take the learning rates of an epoch's steps, each step's for K trainings."""
        ...

    def step(self, index: int, gradient: Tensor) -> None:
        """Change the weights by the gradient (K, N), which may be changed too. `index` counts the epoch's steps."""
        ...

    def settle(self) -> None:
        """Have each training's own optimizer know how many steps it took, and its last learning rate."""
        ...


def unfit(optimizer: torch.optim.Optimizer) -> str | None:
    """Why a training with this optimizer cannot be in a batch, or None."""
    name, known_as = type(optimizer).__name__, name_of(optimizer)
    if known_as in ALONE:
        return f"optimizer: {ALONE[known_as]}"
    if type(optimizer) not in (*ADAMS, *SGDS) and known_as not in ELEMENTWISE:
        return f"optimizer {type(optimizer).__module__}:{name} is not one that a batch knows"
    if len(optimizer.param_groups) != 1:
        return f"optimizer {name} has {len(optimizer.param_groups)} groups of parameters"
    group = optimizer.param_groups[0]
    odd = next((option for option, value in PLAIN.items() if group.get(option, value) != value), None)
    return None if odd is None else f"optimizer {name} has {odd} = {group[odd]}"


def stack_optimizers(stack: Stack) -> StackedOptimizer:
    """For the trainings of a stack, none of which is unfit."""
    if type(stack.parts[0].optimizer) in SGDS:
        return _Sgd(stack)
    if name_of(stack.parts[0].optimizer) in ELEMENTWISE:
        return RowOptimizers(stack)
    # A row at a time is one pass over memory, ten operations on all rows are ten; a GPU would wait for K launches.
    kernels = fused_adam() if stack.weights.device.type == "cpu" else None
    return _AdamColumns(stack) if kernels is None else _AdamRows(stack, kernels)


class _Moments:
    """What the optimizers remember of each parameter, under `names`, as rows."""

    def __init__(self, stack: Stack, names: Sequence[str]) -> None:
        self.stack = stack
        self.optimizers = [parts.optimizer for parts in stack.parts]
        self.groups = [optimizer.param_groups[0] for optimizer in self.optimizers]
        self.lrs: Sequence[Sequence[float]] = ()
        self.rows = {name: torch.zeros_like(stack.weights, requires_grad=False) for name in names}
        for k, (optimizer, group) in enumerate(zip(self.optimizers, self.groups, strict=True)):
            for name, rows in self.rows.items():
                for parameter, view in zip(group["params"], stack.row_views(rows[k]), strict=True):
                    state = optimizer.state[parameter]
                    if state.get(name) is not None:
                        view.copy_(state[name])
                    state[name] = view

    def column(self, name: str, *, index: int | None = None) -> Tensor:
        """An option of the K optimizers, (K, 1)."""
        values = [group[name] if index is None else group[name][index] for group in self.groups]
        return self._tensor(values)

    def _tensor(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.stack.weights.dtype, device=self.stack.weights.device)[:, None]

    def table(self, values: Sequence[Sequence[float]]) -> Tensor:
        """A number for each step and training: (steps, K, 1)."""
        return torch.tensor(values, dtype=self.stack.weights.dtype, device=self.stack.weights.device)[:, :, None]

    def settle_lrs(self) -> None:
        """The last step's rates are what the optimizers have."""
        for group, lr in zip(self.groups, self.lrs[-1], strict=True):
            group["lr"] = lr


class _Adam(_Moments):
    """Adam and AdamW; `decoupled`, as torch calls it, is what distinguishes them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, ("exp_avg", "exp_avg_sq"))
        self.decoupled = bool(self.groups[0].get("decoupled_weight_decay", False))
        self.num_steps = [self._num_steps(k) for k in range(len(stack))]

    def _num_steps(self, k: int) -> int:
        state: Mapping[str, Any] = self.optimizers[k].state[self.groups[k]["params"][0]]
        return int(state["step"]) if "step" in state else 0

    def plan(self, lrs: Sequence[Sequence[float]]) -> None:
        """See StackedOptimizer.plan."""
        self.lrs = lrs

    def settle(self) -> None:
        """See StackedOptimizer.settle."""
        self.num_steps = [before + len(self.lrs) for before in self.num_steps]
        self.settle_lrs()
        for optimizer, group, num_steps in zip(self.optimizers, self.groups, self.num_steps, strict=True):
            for parameter in group["params"]:
                state = optimizer.state[parameter]
                moments = {name: state[name] for name in self.rows}
                # In the order in which torch has them, so that a checkpoint looks like one of a training alone.
                optimizer.state[parameter] = {"step": torch.tensor(float(num_steps)), **moments}


class _AdamRows(_Adam):
    """torch's own fused kernel, row by row."""

    def __init__(self, stack: Stack, kernels: FusedAdam) -> None:
        super().__init__(stack)
        self._kernel = kernels.adamw if self.decoupled else kernels.adam
        weights = stack.weights.detach()
        self._rows = [
            ([weights[k]], [self.rows["exp_avg"][k]], [self.rows["exp_avg_sq"][k]], [torch.tensor(float(num_steps))])
            for k, num_steps in enumerate(self.num_steps)
        ]
        self._options = [
            {"beta1": group["betas"][0], "beta2": group["betas"][1]}
            | {"weight_decay": group["weight_decay"], "eps": group["eps"], "amsgrad": False, "maximize": False}
            for group in self.groups
        ]

    def step(self, index: int, gradient: Tensor) -> None:
        """See StackedOptimizer.step."""
        for row, g, lr, options in zip(self._rows, gradient.unbind(), self.lrs[index], self._options, strict=True):
            weights, average, square, count = row
            count[0].add_(1)
            self._kernel(weights, [g], average, square, [], count, lr=lr, **options)


class _AdamColumns(_Adam):
    """The same arithmetic on all rows at once."""

    def plan(self, lrs: Sequence[Sequence[float]]) -> None:
        """See StackedOptimizer.plan."""
        super().plan(lrs)
        betas = [group["betas"] for group in self.groups]
        numbers = range(1, len(lrs) + 1)
        of = list(enumerate(self.num_steps))
        corrections = [[1 - betas[k][1] ** (before + i) for k, before in of] for i in numbers]
        sizes = [[lrs[i - 1][k] / (1 - betas[k][0] ** (before + i)) for k, before in of] for i in numbers]
        self._sizes, self._roots = self.table(sizes), self.table(corrections).sqrt_()
        # What is near 1 is taken from 1 before it is rounded to float32, as torch does.
        decays = [group["weight_decay"] for group in self.groups]
        self._decay = self.column("weight_decay") if any(decays) else None
        self._kept = self.table([[1 - lr * decay for lr, decay in zip(step, decays, strict=True)] for step in lrs])
        self._new = self._tensor([1 - beta1 for beta1, _ in betas])
        self._beta2, self._new_square = self.column("betas", index=1), self._tensor([1 - beta2 for _, beta2 in betas])
        self._eps = self.column("eps")

    def step(self, index: int, gradient: Tensor) -> None:
        """See StackedOptimizer.step."""
        weights, average, square = self.stack.weights.detach(), self.rows["exp_avg"], self.rows["exp_avg_sq"]
        if self._decay is not None:
            if self.decoupled:
                weights.mul_(self._kept[index])
            else:
                gradient = gradient.addcmul(weights, self._decay)
        average.lerp_(gradient, self._new)
        square.mul_(self._beta2).addcmul_(gradient, gradient * self._new_square)
        size = square.sqrt().div_(self._roots[index]).add_(self._eps)
        weights.addcdiv_(average * -self._sizes[index], size)


class _Sgd(_Moments):
    """SGD with momentum, Nesterov's too."""

    def __init__(self, stack: Stack) -> None:
        momentum = [parts.optimizer.param_groups[0]["momentum"] for parts in stack.parts]
        super().__init__(stack, ("momentum_buffer",) if any(momentum) else ())
        self._momentum = self.column("momentum") if any(momentum) else None
        decay = self.column("weight_decay")
        self._decay = decay if bool(decay.any()) else None

    def plan(self, lrs: Sequence[Sequence[float]]) -> None:
        """See StackedOptimizer.plan."""
        self.lrs = lrs
        self._sizes = -self.table(lrs)

    def step(self, index: int, gradient: Tensor) -> None:
        """See StackedOptimizer.step."""
        weights = self.stack.weights.detach()
        if self._decay is not None:
            gradient = gradient.addcmul(weights, self._decay)
        if self._momentum is not None:
            buffer = self.rows["momentum_buffer"].mul_(self._momentum).add_(gradient)
            gradient = gradient.addcmul(buffer, self._momentum) if self.groups[0]["nesterov"] else buffer
        weights.addcmul_(gradient, self._sizes[index])

    def settle(self) -> None:
        """See StackedOptimizer.settle."""
        self.settle_lrs()
        for optimizer, group in zip(self.optimizers, self.groups, strict=True):
            if not group["momentum"]:
                optimizer.state.clear()
