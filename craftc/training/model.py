"""The model of a spec and the data in; the model, tried on two samples, out."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.schemas.catalogue import is_own
from craftc.training.errors import TrainingError
from craftc.training.named import GUIDE, described, named
from craftc.training.prepare import PreparedData

WRAP = f"wrap it in a small class of your own; {GUIDE}"


def build_model(setting: Mapping[str, Any], data: PreparedData, device: torch.device) -> tuple[nn.Module, Tensor]:
    """The model on the device, and its logits (2, C), or (2, T, C), for the first two samples of train.

    Raises TrainingError `model-not-buildable`, `model-forward` and `model-output-shape`.
    """
    name = f"model {setting['kind']}"
    # On the CPU first: initial weights are then the same on every device.
    model = instantiate(setting, "model")
    with named(name, code="model-not-buildable"):
        model = model.to(device)
    train = data.splits["train"]
    # A copy: a model that works in place on its input must not change the data that other trials share.
    inputs = torch.from_numpy(train.inputs[:2].copy()).to(device)
    _check_forward(model, name, inputs)
    hint = _layout_hint(inputs) if is_own(setting["kind"]) else ""
    on = f"{name} on a batch of inputs, {_dtype(inputs)} of shape {tuple(inputs.shape)}"
    with named(on, code="model-forward", hint=hint), torch.no_grad():
        # Also gives lazy layers their shape, before the optimizer asks for parameters.
        logits = model.eval()(inputs)
    _check_logits(logits, name, inputs, (*train.targets[:2].shape, len(data.class_names)))
    return model, logits


def instantiate(setting: Mapping[str, Any], what: str) -> nn.Module:
    """The module that a component of the models makes, on the CPU. Raises TrainingError `model-not-buildable`."""
    name = f"{what} {setting['kind']}"
    with named(name, code="model-not-buildable"):
        model = build("models", setting)
    if not isinstance(model, nn.Module):
        raise TrainingError("model-not-buildable", f"{name} gave {described(model)}; expected a torch.nn.Module")
    return model


def _check_forward(model: nn.Module, name: str, inputs: Tensor) -> None:
    """Raise where `forward` cannot be called with one batch of inputs and nothing else."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(inputs)
    except TypeError:
        raise TrainingError(
            "model-forward",
            f"{name}: forward takes ({', '.join(map(str, signature.parameters.values()))}), and craftc calls it with "
            f"one batch of inputs, {_dtype(inputs)} of shape {tuple(inputs.shape)}, alone; {WRAP}",
        ) from None


def _dtype(inputs: Tensor) -> str:
    return str(inputs.dtype).removeprefix("torch.")


def _layout_hint(inputs: Tensor) -> str:
    if inputs.dim() != 3:
        return GUIDE
    return (
        f"for images with a channel axis, {(len(inputs), 1, *inputs.shape[1:])}, write data.layout: channels; {GUIDE}"
    )


def _check_logits(logits: Any, name: str, inputs: Tensor, expected: tuple[int, ...]) -> None:
    if isinstance(logits, Tensor) and tuple(logits.shape) == expected and logits.is_floating_point():
        return
    found = described(logits)
    if isinstance(logits, Tensor):
        found = str(tuple(logits.shape)) if logits.is_floating_point() else f"{tuple(logits.shape)} of {logits.dtype}"
    axes = ", ".join(["batch", *["context_length"] * (len(expected) - 2), "num_classes"])
    message = (
        f"{name} turned a batch of shape {tuple(inputs.shape)} into {found}; expected logits ({axes}) = {expected}"
    )
    raise TrainingError("model-output-shape", message if isinstance(logits, Tensor) else f"{message}; {WRAP}")
