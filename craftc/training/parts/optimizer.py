"""Builds the optimizer of a spec for the trainable parameters of a model."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from craftc.components.build import build
from craftc.training.foundation.error_context import described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.postponed_compiler import postpone_compiler

CODE = "optimizer-not-buildable"
FAILED = "optimizer-failed"
MOST_NAMED = 5
"""Parameters that a message names."""


def build_optimizer(setting: Mapping[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """Raises TrainingError `optimizer-not-buildable`, and `nothing-to-train` of a model that has nothing to train."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise _nothing_to_train(model)
    postpone_compiler()
    name = f"optimizer {setting['kind']}"
    try:
        with errors_of("optimizer", code=CODE):
            optimizer = build("optimizers", setting, trainable, model)
    except TrainingError as error:
        if reason := _takes_only_matrices(setting, model, trainable):
            raise TrainingError(CODE, f"{name} {reason}") from error
        raise
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TrainingError(CODE, f"{name} gave {described(optimizer)}; expected a torch.optim.Optimizer")
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise TrainingError(CODE, f"{name}: its step needs a closure that trains the batch again, and gets none")
    if any("lr" not in group for group in optimizer.param_groups):
        raise TrainingError(CODE, f'{name} has no "lr" in its param_groups, which the schedule sets')
    return optimizer


def _nothing_to_train(model: nn.Module) -> TrainingError:
    num_frozen = sum(1 for _ in model.parameters())
    name = type(model).__name__
    if num_frozen:
        message = f"none of the {num_frozen} parameters of the model {name} is trained: each has requires_grad = False"
        hint = "leave it True for those of a head, or write kind: frozen_backbone, which adds one"
    else:
        message = f"the model {name} has no parameters, so there is nothing to train"
        hint = "layers that are kept in a list or dict are not found; use torch.nn.ModuleList or ModuleDict"
    return TrainingError("nothing-to-train", f"{message}; {hint}")


def _takes_only_matrices(setting: Mapping[str, Any], model: nn.Module, trainable: Sequence[nn.Parameter]) -> str | None:
    """Of an optimizer that can be built for the model's matrices alone, as Muon: which parameters are none."""
    others = [name for name, each in model.named_parameters() if each.requires_grad and each.ndim != 2]
    if not others:
        return None
    try:
        build("optimizers", setting, [parameter for parameter in trainable if parameter.ndim == 2], model)
    except Exception:
        return None
    shown = ", ".join(others[:MOST_NAMED]) + (" and others" if len(others) > MOST_NAMED else "")
    return (
        f"takes matrices alone, and {len(others)} of the model's {len(trainable)} parameters are none: {shown}; write "
        "an optimizer that gives it the matrices and another one the rest: docs/how_to/own_code.md has one"
    )


def set_training(optimizer: torch.optim.Optimizer, is_training: bool) -> None:
    """Tell an optimizer whose weights are others in training than in evaluation, as those of `schedulefree`, which are
    wanted now. Its `train()` and `eval()` put them into the model; other optimizers have neither."""
    switch = getattr(optimizer, "train" if is_training else "eval", None)
    if callable(switch):
        with errors_of(f"optimizer {type(optimizer).__name__}, {'train' if is_training else 'eval'}", code=FAILED):
            switch()
