"""Builds the optimizer of a spec for the trainable parameters of a model."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from craftc.components.build import build
from craftc.training.foundation.error_context import described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.postponed_compiler import postpone_compiler

CODE = "optimizer-not-buildable"


def build_optimizer(setting: Mapping[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """Raises TrainingError `optimizer-not-buildable`."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    postpone_compiler()
    with errors_of("optimizer", code=CODE):
        optimizer = build("optimizers", setting, trainable)
    name = f"optimizer {setting['kind']}"
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TrainingError(CODE, f"{name} gave {described(optimizer)}; expected a torch.optim.Optimizer")
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise TrainingError(CODE, f"{name}: its step needs a closure that trains the batch again, and gets none")
    if any("lr" not in group for group in optimizer.param_groups):
        raise TrainingError(CODE, f'{name} has no "lr" in its param_groups, which the schedule sets')
    return optimizer
