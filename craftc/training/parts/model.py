"""Builds the model of a spec for its data, and tries it on two samples."""

import copy
import inspect
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Public in effect, see sync_batch_norm.
from torch.nn.modules.batchnorm import _BatchNorm

from craftc.components.build import build
from craftc.schemas.catalogue import is_own
from craftc.training.data.layout import laid_out
from craftc.training.data.prepare import Inputs, PreparedData
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError

WRAP = f"wrap it in a small class of your own; {GUIDE}"


def build_model(setting: Mapping[str, Any], data: PreparedData, device: torch.device) -> tuple[nn.Module, Tensor]:
    """The model on the device, and its logits (2, C), or (2, T, C), for the first two samples of train.

    Raises TrainingError `model-not-buildable`, `model-forward` and `model-output-shape`.
    """
    name = f"model {setting['kind']}"
    # On the CPU first: initial weights are then the same on every device.
    model = instantiate(setting, "model")
    with errors_of(name, code="model-not-buildable"):
        model = model.to(device)
    train = data.splits["train"]
    # A copy: a model that works in place on its input must not change the data that other trials share.
    inputs = torch.from_numpy(train.inputs[:2].copy()).to(device)
    _check_forward(model, name, inputs)
    expected = (*train.targets[:2].shape, len(data.class_names))
    on = f"{name} on a batch of inputs, {_dtype(inputs)} of shape {tuple(inputs.shape)}"
    try:
        with torch.no_grad():
            # Also gives lazy layers their shape, before the optimizer asks for parameters.
            logits = model.eval()(inputs)
    except Exception:
        hint = _layout_hint(model, train.inputs[:2], device, expected) if is_own(setting["kind"]) else ""
        with errors_of(on, code="model-forward", hint=hint):
            raise
    check_logits(logits, name, inputs, expected)
    return model, logits


def check_last_batch(model: nn.Module, data: PreparedData, batch_size: int) -> None:
    """Raise TrainingError `model-forward` where an epoch ends with one sample, and batch normalization, which
    needs the variance of several, cannot do without more."""
    train = data.splits["train"]
    leaves_one = len(train) > 1 and len(train) % batch_size == 1 % batch_size
    if not leaves_one or not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return
    device = next(iter(model.state_dict().values())).device
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            # A copy, for it would take the sample into its statistics.
            copy.deepcopy(model).train()(torch.from_numpy(train.inputs[:1].copy()).to(device))
    except Exception as error:
        if "more than 1 value per channel" not in str(error):
            return  # training itself reports that
        fit = next(size for size in count(max(batch_size, 2)) if len(train) % size != 1)
        left = f"{len(train):,} samples in batches of {batch_size} leave one for the last of an epoch"
        message = f"batch normalization needs more than one sample, and {left}; write training.batch_size: {fit}"
        raise TrainingError("model-forward", message) from error


def instantiate(setting: Mapping[str, Any], what: str) -> nn.Module:
    """The module that a component of the models makes, on the CPU. Raises TrainingError `model-not-buildable`."""
    name = f"{what} {setting['kind']}"
    with errors_of(name, code="model-not-buildable"):
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


def _layout_hint(model: nn.Module, few: Inputs, device: torch.device, expected: tuple[int, ...]) -> str:
    """The layout with which the model turns the same samples into logits, or else the likeliest."""
    for layout in ("flat", "lines", "channels") if few.dtype == np.float32 else ():
        try:
            inputs = laid_out(few.astype(np.float32), layout)
            with torch.no_grad():
                logits = model(torch.from_numpy(inputs).to(device))
        except Exception:
            continue
        if isinstance(logits, Tensor) and tuple(logits.shape) == expected:
            return f"it takes {inputs.shape}: write data.layout: {layout}"
    if few.ndim == 3 and any(isinstance(module, nn.Conv2d) for module in model.modules()):
        shape = (len(few), 1, *few.shape[1:])
        return f"for images with a channel axis, {shape}, write data.layout: channels; {GUIDE}"
    return GUIDE


def check_logits(logits: Any, name: str, inputs: Tensor, expected: tuple[int, ...], mode: str = "") -> None:
    """Raise TrainingError `model-output-shape` where a model made anything but logits of the `expected` shape of a
    batch of inputs; `mode` says in which mode, where it may be another in the other."""
    if isinstance(logits, Tensor) and tuple(logits.shape) == expected and logits.is_floating_point():
        return
    found = described(logits)
    if isinstance(logits, Tensor):
        found = str(tuple(logits.shape)) if logits.is_floating_point() else f"{tuple(logits.shape)} of {logits.dtype}"
    axes = ", ".join(["batch", *["context_length"] * (len(expected) - 2), "num_classes"])
    turned = f"{name}{mode} turned a batch of shape {tuple(inputs.shape)} into {found}"
    message = f"{turned}; expected logits ({axes}) = {expected}"
    raise TrainingError("model-output-shape", message if isinstance(logits, Tensor) else f"{message}; {WRAP}")
