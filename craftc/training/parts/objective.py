"""Builds the objective of a spec, and accepts each form of loss that it may return.

B: samples of a batch, T: tokens of a sample, M: predictions of a batch (B, or B * T), C: classes.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.schemas.catalogue import is_own
from craftc.training.data.prepare import PreparedData, infer_facts
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError

CODE = "objective-failed"


def build_objective(setting: Mapping[str, Any], data: PreparedData, logits: Tensor, device: torch.device) -> nn.Module:
    """The objective on the device. One of the user's own is tried on the logits of the first samples of train.

    Raises DataError, TrainingError `objective-not-buildable` and `objective-failed`.
    """
    name = f"objective {setting['kind']}"
    setting = infer_facts(setting, data.facts, "objective", reserved=["metrics"])
    with errors_of("objective", code="objective-not-buildable"):
        objective = build("objectives", setting, torch.from_numpy(data.class_counts))
        if isinstance(objective, nn.Module):
            objective = objective.to(device)
    if not isinstance(objective, nn.Module):
        message = f"{name} gave {described(objective)}; expected a torch.nn.Module"
        raise TrainingError("objective-not-buildable", message)
    if is_own(setting["kind"]):
        targets = torch.from_numpy(data.splits["train"].targets[: len(logits)]).to(device)
        logits_MC, targets_M = predictions(logits, targets)
        on = f"{name} on logits {tuple(logits_MC.shape)} and targets {tuple(targets_M.shape)}"
        leaf = logits.detach().clone().requires_grad_()
        with errors_of(on, code=CODE, hint=GUIDE):
            loss = differentiate(objective, leaf, targets)
            _check_loss(loss, name)
        with errors_of(f"{on}, backward", code=CODE, hint=GUIDE):
            try_backward(loss, leaf)
    return objective


def predictions(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """What objectives and metrics are given, one row for each prediction: (M, C) and (M,).

    Of (B, C) and (B,) that is themselves; of (B, T, C) and (B, T) every token's, in their order.
    """
    return logits.flatten(0, -2), targets.flatten()


def sum_and_weight(objective: nn.Module, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of a batch as (sum, weight), two scalars whose ratio is its mean, and which add up over batches.

    An objective that returns one number gives the mean over the batch's predictions; the sum, where it says so by
    torch's `reduction`. Each prediction then weighs 1.
    """
    loss = objective(*predictions(logits, targets))
    if not isinstance(loss, Tensor):
        loss_sum, weight_sum = loss
        return loss_sum, weight_sum if isinstance(weight_sum, Tensor) else loss_sum.new_full((), weight_sum)
    num_predictions = loss.new_full((), targets.numel())
    is_sum = getattr(objective, "reduction", "mean") == "sum"
    return (loss.reshape(()) if is_sum else loss.reshape(()) * num_predictions), num_predictions


def differentiate(objective: nn.Module, leaf: Tensor, targets: Tensor) -> Any:
    """The loss that an objective makes of the logits in a leaf of autograd. Raises what it raises."""
    with torch.enable_grad():
        # The logits of a model are no leaf, on which nothing may work in place.
        return objective(*predictions(leaf.clone(), targets))


def try_backward(loss: Any, leaf: Tensor) -> None:
    """Raise what the backward of an objective raises; a loss without a gradient is reported by the step. Leaves the
    gradients of parameters as they are."""
    loss = loss[0] if isinstance(loss, tuple) else loss
    if loss.requires_grad:
        torch.autograd.grad(loss.sum(), leaf, allow_unused=True)


def _check_loss(loss: Any, name: str) -> None:
    first, *rest = loss if isinstance(loss, tuple) and len(loss) == 2 else (loss,)
    is_loss = isinstance(first, Tensor) and first.numel() == 1 and first.is_floating_point()
    if is_loss and all(isinstance(w, int | float) or (isinstance(w, Tensor) and w.numel() == 1) for w in rest):
        return
    if isinstance(first, Tensor) and not first.is_floating_point():
        what = f"a loss of {first.dtype}, which has no gradient"
        raise TrainingError(CODE, f"{name} returned {what}; expected floating-point numbers; {GUIDE}")
    message = f"{name} returned {described(loss)}; expected the batch's mean loss, or (loss_sum, weight_sum)"
    raise TrainingError(CODE, f"{message}; {GUIDE}")
