"""The objective of a spec in; what a batch's loss adds up from, whichever of the accepted forms it returns, out.

B: samples of a batch, C: classes.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.schemas.catalogue import is_own
from craftc.training.errors import TrainingError
from craftc.training.named import GUIDE, described, named
from craftc.training.prepare import PreparedData, infer_facts


def build_objective(
    setting: Mapping[str, Any], data: PreparedData, logits_BC: Tensor, device: torch.device
) -> nn.Module:
    """The objective on the device. One of the user's own is tried on the logits of the first samples of train.

    Raises DataError, TrainingError `objective-not-buildable` and `objective-failed`.
    """
    name = f"objective {setting['kind']}"
    setting = infer_facts(setting, data.facts, "objective", reserved=["metrics"])
    with named("objective", code="objective-not-buildable"):
        objective = build("objectives", setting, torch.from_numpy(data.class_counts))
        if isinstance(objective, nn.Module):
            objective = objective.to(device)
    if not isinstance(objective, nn.Module):
        message = f"{name} gave {described(objective)}; expected a torch.nn.Module"
        raise TrainingError("objective-not-buildable", message)
    if is_own(setting["kind"]):
        targets_B = torch.from_numpy(data.splits["train"].targets[: len(logits_BC)]).to(device)
        on = f"{name} on logits {tuple(logits_BC.shape)} and targets {tuple(targets_B.shape)}"
        with named(on, code="objective-failed", hint=GUIDE):
            _check_loss(objective(logits_BC, targets_B), name)
    return objective


def sum_and_weight(objective: nn.Module, logits_BC: Tensor, targets_B: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of a batch as (sum, weight), two scalars whose ratio is its mean, and which add up over batches.

    An objective that returns one number gives the mean over the batch's samples; the sum, where it says so by
    torch's `reduction`. Each sample then weighs 1.
    """
    loss = objective(logits_BC, targets_B)
    if not isinstance(loss, Tensor):
        loss_sum, weight_sum = loss
        return loss_sum, weight_sum
    num_samples = loss.new_full((), len(targets_B))
    is_sum = getattr(objective, "reduction", "mean") == "sum"
    return (loss.reshape(()) if is_sum else loss.reshape(()) * num_samples), num_samples


def _check_loss(loss: Any, name: str) -> None:
    parts = loss if isinstance(loss, tuple) and len(loss) == 2 else (loss,)
    if all(isinstance(part, Tensor) and part.numel() == 1 and part.is_floating_point() for part in parts):
        return
    message = f"{name} returned {described(loss)}; expected the batch's mean loss, or (loss_sum, weight_sum)"
    raise TrainingError("objective-failed", f"{message}; {GUIDE}")
