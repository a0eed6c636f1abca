"""Builds the objective of a spec, and accepts each form of loss that it may return."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.schemas.catalogue import is_own
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import Given, MeasureCall, UnknownColumnError, call_of_measure
from craftc.training.parts.model import Tried
from craftc.training.parts.transcripts import check_transcripts

CODE = "objective-failed"
RESERVED = ("metrics", "terms", "weight")
"""Beside `kind` and the arguments of an objective, or of a term."""
TEACHER = "teacher"
"""The attribute of an objective with the checkpoint of a trial, and the parameter of its `forward` that takes what that
trial's model makes of the batch."""


def build_objective(
    setting: Mapping[str, Any],
    data: PreparedData,
    tried: Tried,
    device: torch.device,
    values: Collection[str] = (),
    place: str = "objective",
) -> tuple[nn.Module, MeasureCall]:
    """One objective, which stands at that place of the spec, on the device, and how it is called, which may be by
    `values`. It is tried on the output of the first samples of train.

    Raises DataError, TrainingError `objective-not-buildable`, `objective-failed` and `transcript-too-long`.
    """
    name = f"objective {setting['kind']}"
    setting = infer_facts(setting, data.facts, place, reserved=RESERVED)
    with errors_of("objective", code="objective-not-buildable"):
        objective = build("objectives", setting, torch.from_numpy(data.class_counts))
        if isinstance(objective, nn.Module):
            objective = objective.to(device)
    if not isinstance(objective, nn.Module):
        message = f"{name} gave {described(objective)}; expected a torch.nn.Module"
        raise TrainingError("objective-not-buildable", message)
    try:
        taught = (TEACHER,) if hasattr(objective, TEACHER) else ()
        call = call_of_measure(objective.forward, data.splits["train"], (*tried.names, *taught), values)
    except UnknownColumnError as error:
        raise TrainingError("objective-failed", f"{name} {error}; {GUIDE}") from None
    check_transcripts(objective, call, data, tried, name)
    if taught:
        # One of its own, since every term may have another teacher.
        named = tuple((name, f"{place}.{TEACHER}" if asked == TEACHER else asked) for name, asked in call.named)
        return objective, call._replace(named=named)
    if is_own(setting["kind"]):
        given = tried.given
        on, leaf = f"{name} on {given.shapes}", leaf_of(given)
        with errors_of(on, code=CODE, hint=GUIDE):
            loss = differentiate(objective, call, leaf)
            _check_loss(loss, name)
        with errors_of(f"{on}, backward", code=CODE, hint=GUIDE):
            try_backward(loss, leaf.output)
    return objective, call


def sum_and_weight(objective: nn.Module, call: MeasureCall, given: Given) -> tuple[Tensor, Tensor]:
    """The loss of a batch as (sum, weight), two scalars whose ratio is its mean, and which add up over batches.

    An objective that returns one number gives the mean over the batch's predictions; the sum, where it says so by
    torch's `reduction`. Each prediction then weighs 1.
    """
    loss = given.to(objective, call)
    if not isinstance(loss, Tensor):
        loss_sum, weight_sum = loss
        return loss_sum, weight_sum if isinstance(weight_sum, Tensor) else loss_sum.new_full((), weight_sum)
    num_predictions = loss.new_full((), given.num_predictions)
    is_sum = getattr(objective, "reduction", "mean") == "sum"
    return (loss.reshape(()) if is_sum else loss.reshape(()) * num_predictions), num_predictions


def leaf_of(given: Given) -> Given:
    """The same with the output as a leaf of autograd."""
    return given._replace(output=given.output.detach().clone().requires_grad_())


def differentiate(objective: nn.Module, call: MeasureCall, leaf: Given) -> Any:
    """The loss that an objective makes of an output that is a leaf of autograd. Raises what it raises."""
    with torch.enable_grad():
        # The output of a model is no leaf, on which nothing may work in place.
        return leaf._replace(output=leaf.output.clone()).to(objective, call)


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
