"""Calibrates logits by few numbers, which are fitted so that the right classes are as probable as can be.

M: predictions, C: classes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_MOST_STEPS = 500
_WIDEST = 1e3
"""The least temperature is 1 over this. Of logits that are right for every sample there is no best one: the smaller,
the more probable the targets."""


class Temperature:
    """Divides all logits by one number (Guo et al., 2017): no decision changes, only how sure a model is of it.

    The number lies between 1e-3 and 1e3.
    """

    takes_targets = ("class", "token")

    def __init__(self) -> None:
        self.temperature = 1.0

    def fit(self, outputs: Tensor, targets: Tensor) -> None:
        """From logits (M, C) and class numbers (M,), by L-BFGS in float64."""
        logits_MC, targets_M = _exact(outputs, targets)
        # Of the logarithm, so that it stays positive.
        log_temperature = torch.zeros((), dtype=torch.float64, device=logits_MC.device, requires_grad=True)

        def temperature() -> Tensor:
            return log_temperature.clamp(-math.log(_WIDEST), math.log(_WIDEST)).exp()

        _minimise(lambda: F.cross_entropy(logits_MC / temperature(), targets_M), [log_temperature])
        self.temperature = float(temperature().detach())

    def apply(self, outputs: Tensor) -> Tensor:
        """Calibrated logits (M, C)."""
        return outputs / self.temperature

    def state_dict(self) -> dict[str, Any]:
        """The number."""
        return {"temperature": self.temperature}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        self.temperature = float(state["temperature"])


class VectorScaling:
    """Multiplies the logit of each class by a number and adds another (Guo et al., 2017): decisions may change.

    It has two numbers for each class, so that it needs more samples than one temperature.
    """

    takes_targets = ("class", "token")

    def __init__(self) -> None:
        self.scale_C = self.bias_C = torch.zeros(0)

    def fit(self, outputs: Tensor, targets: Tensor) -> None:
        """From logits (M, C) and class numbers (M,), by L-BFGS in float64."""
        logits_MC, targets_M = _exact(outputs, targets)
        scale_C = torch.ones_like(logits_MC[0]).requires_grad_()
        bias_C = torch.zeros_like(logits_MC[0]).requires_grad_()
        _minimise(lambda: F.cross_entropy(logits_MC * scale_C + bias_C, targets_M), [scale_C, bias_C])
        # Of all classes the same number may be added, and nothing changes.
        self.scale_C, self.bias_C = scale_C.detach().cpu(), (bias_C - bias_C.mean()).detach().cpu()

    def apply(self, outputs: Tensor) -> Tensor:
        """Calibrated logits (M, C)."""
        scale_C, bias_C = (numbers.to(outputs.device, outputs.dtype) for numbers in (self.scale_C, self.bias_C))
        return outputs * scale_C + bias_C

    def state_dict(self) -> dict[str, Any]:
        """The numbers of each class."""
        return {"scale": self.scale_C, "bias": self.bias_C}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        self.scale_C, self.bias_C = state["scale"], state["bias"]


def _exact(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """In float64, on a device that has it."""
    device = torch.device("cpu") if outputs.device.type == "mps" else outputs.device
    return outputs.detach().to(device, torch.float64), targets.to(device)


def _minimise(loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> None:
    optimizer = torch.optim.LBFGS(
        list(parameters),
        max_iter=_MOST_STEPS,
        tolerance_grad=1e-10,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        found = loss()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
