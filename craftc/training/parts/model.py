"""Builds the model of a spec for its data, and tries it on two samples."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Public in effect, see sync_batch_norm.
from torch.nn.modules.batchnorm import _BatchNorm

from craftc.components.build import build
from craftc.components.sources.columns import Column
from craftc.schemas.catalogue import ADAPTER, BESIDE_MODEL, OUTPUT, REMOVE, is_own
from craftc.training.data.device_split import Batch
from craftc.training.data.layout import laid_out
from craftc.training.data.prepare import PreparedData
from craftc.training.data.split import Split
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.adapter import adapt
from craftc.training.parts.calls import (
    Calls,
    Given,
    ModelCall,
    Output,
    UnknownColumnError,
    alignment_of,
    call_of_model,
    few_of,
    main_of,
    outputs_of,
)
from craftc.training.parts.output import reduce_output
from craftc.training.parts.removed_modules import Removed, remove_modules
from craftc.training.parts.values import Values

LARGER_SIDES = (32, 64, 128, 224)
"""Of images that a model is tried with where those of the data are too small for it."""
RESIZE = "resize"
"""The argument of a model that is the side to which it resizes its images."""
WRAP = f"wrap it in a small class of your own; {GUIDE}"


class Tried(NamedTuple):
    """A model, how it and its outputs are called, and the first samples of train with what it makes of them. `names`
    are those of its outputs, none where it returns a tensor or a tuple; `removed` is what was taken out of it."""

    model: nn.Module
    calls: Calls
    batch: Batch
    output: Output
    names: tuple[str, ...]
    removed: Removed | None = None

    @property
    def given(self) -> Given:
        """What objectives and metrics are given of those samples."""
        return self.calls.given(self.output, self.batch)

    def of_views(self, num_views: int) -> "Tried":
        """With each sample in so many views, all of them alike."""
        if num_views == 1:
            return self

        def viewed(values: Tensor) -> Tensor:
            return values.unsqueeze(1).expand(-1, num_views, *values.shape[1:])

        output, first = self.output, self.calls.first
        shown = {name: viewed(v) for name, v in output.items()} if isinstance(output, dict) else viewed(output)
        batch = {**self.batch, first: viewed(self.batch[first])}
        return self._replace(calls=self.calls.of_views(num_views), batch=batch, output=shown)

    def kept_as(self, kept: torch.dtype) -> "Tried":
        """With quantities in the type of the training."""
        output = self.output
        changed = {name: _as(kept, value) for name, value in output.items()} if isinstance(output, dict) else output
        changed = changed if isinstance(changed, dict) else _as(kept, changed)
        return self._replace(batch={name: _as(kept, value) for name, value in self.batch.items()}, output=changed)


def _as(kept: torch.dtype, values: Tensor) -> Tensor:
    return values.to(kept) if values.is_floating_point() else values


def build_model(
    setting: Mapping[str, Any],
    data: PreparedData,
    device: torch.device,
    values: Values | None = None,
    *,
    is_embedding: bool = False,
) -> Tried:
    """The model on the device, tried on the first two samples of train and the values of the first step. Embeddings may
    have any shape.

    Raises TrainingError `model-not-buildable`, `model-forward` and `model-output-shape`; and `module-unmatched` and
    `module-not-removable` of what the setting removes.
    """
    name = f"model {setting['kind']}"
    # On the CPU first: initial weights are then the same on every device.
    model = instantiate(setting, "model")
    with errors_of(name, code="model-not-buildable"):
        model = model.to(device)
    train = data.splits["train"]
    batch = few_of(train, 2, device)
    if values is not None:
        batch |= {value: number.float() for value, number in values.at(0).items()}
    call = _call_of(model, name, train, batch, () if values is None else values.names)
    calls = Calls(call, train.target, alignment_of(train.target_column))
    inputs = batch[calls.first]
    on = f"{name} on a batch of inputs, {_dtype(inputs)} of shape {tuple(inputs.shape)}"
    removed = None
    try:
        with torch.no_grad():
            # Also gives lazy layers their shape, before the optimizer asks for parameters.
            if removals := setting.get(REMOVE):
                removed, returned = remove_modules(model.eval(), removals, lambda: call(model, batch), name)
            else:
                returned = call(model.eval(), batch)
    except TrainingError:
        raise
    except Exception:
        is_own_code = is_own(setting["kind"])
        hint = _layout_hint(model, data, call, device) if is_own_code else _size_hint(model, setting, call, batch)
        with errors_of(on, code="model-forward", hint=hint):
            raise
    check_output(returned, name, inputs, None if is_embedding else train.target_column)
    outputs = outputs_of(returned)
    main = None if isinstance(returned, Tensor) else main_of(outputs)
    names = tuple(name for name in outputs if isinstance(name, str))
    # Which of them are asked for is known when measures are: until then, all.
    calls = replace(calls, main=main, keeps_all=bool(names))
    output = calls.read(returned)
    if (num_members := members_of(model)) > 1:
        num_axes = (output if isinstance(output, Tensor) else output[str(main)]).dim()
        calls = replace(calls, num_members=num_members, num_axes=num_axes)
    return Tried(model, calls, batch, output, names, removed)


def members_of(model: nn.Module) -> int:
    """How many predictions of each sample a model gives in training, behind the axis of samples; in evaluation it gives
    one."""
    return int(getattr(model, "num_members", 1))


def check_last_batch(tried: Tried, data: PreparedData, batch_size: int) -> None:
    """Raise TrainingError `model-forward` where an epoch ends with one sample, and batch normalization, which
    needs the variance of several, cannot do without more."""
    model, train = tried.model, data.splits["train"]
    leaves_one = len(train) > 1 and len(train) % batch_size == 1 % batch_size
    if not leaves_one or not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return
    device = next(iter(model.state_dict().values())).device
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            # A copy, for it would take the sample into its statistics.
            tried.calls.model(copy.deepcopy(model).train(), {**tried.batch, **few_of(train, 1, device)})
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
        model = build("models", {key: value for key, value in setting.items() if key not in BESIDE_MODEL})
    if not isinstance(model, nn.Module):
        raise TrainingError("model-not-buildable", f"{name} gave {described(model)}; expected a torch.nn.Module")
    if ADAPTER in setting:
        adapt(model, setting[ADAPTER])
    if (how := setting.get(OUTPUT, "none")) != "none":
        reduce_output(model, how)
    return model


def _call_of(model: nn.Module, name: str, train: Split, batch: Batch, values: Sequence[str]) -> ModelCall:
    """Raises TrainingError where `forward` asks for what no column has."""
    try:
        call = call_of_model(model, train, values)
        signature = inspect.signature(model.forward)
    except UnknownColumnError as error:
        message = f"{name}: forward {error}"
        raise TrainingError("model-forward", f"{message}; {WRAP}") from None
    except (TypeError, ValueError):
        return call
    try:
        signature.bind(batch[call.first], **call.by_name(batch))
    except TypeError:
        inputs = batch[call.first]
        raise TrainingError(
            "model-forward",
            f"{name}: forward takes ({', '.join(map(str, signature.parameters.values()))}), and craftc calls it with "
            f"one batch of inputs, {_dtype(inputs)} of shape {tuple(inputs.shape)}, alone; {WRAP}",
        ) from None
    return call


def _dtype(inputs: Tensor) -> str:
    return str(inputs.dtype).removeprefix("torch.")


def _layout_hint(model: nn.Module, data: PreparedData, call: ModelCall, device: torch.device) -> str:
    """The layout with which the model turns the same samples into an output that fits, or else the likeliest."""
    train = data.splits["train"]
    batch, few = few_of(train, 2, device), train.columns[call.first].values[:2]
    for layout in ("flat", "lines", "channels") if few.dtype == np.float32 else ():
        try:
            inputs = laid_out(few.astype(np.float32), layout)
            with torch.no_grad():
                returned = call(model, {**batch, call.first: torch.from_numpy(inputs).to(device)})
        except Exception:
            continue
        if _fits(returned, expected_output(train.target_column, len(few))):
            return f"it takes {inputs.shape}: write data.layout: {layout}"
    if few.ndim == 3 and any(isinstance(module, nn.Conv2d) for module in model.modules()):
        shape = (len(few), 1, *few.shape[1:])
        return f"for images with a channel axis, {shape}, write data.layout: channels; {GUIDE}"
    return GUIDE


def _size_hint(model: nn.Module, setting: Mapping[str, Any], call: ModelCall, batch: Batch) -> str:
    """Of a model that can resize its images, and that those of the data may be too small for, to which side."""
    inputs = batch[call.first]
    if setting.get(RESIZE) != "none" or inputs.dim() != 4:
        return ""
    height, width = inputs.shape[-2:]
    for side in (side for side in LARGER_SIDES if side > max(height, width)):
        try:
            with torch.no_grad():
                call(model, {**batch, call.first: F.interpolate(inputs, (side, side))})
        except Exception:
            continue
        return f"it takes images of {side} x {side}: write model.resize: {side}"
    return f"where images of {height} x {width} are too small for it, write model.resize: {LARGER_SIDES[0]}, or more"


Shape = tuple[int | None, ...]
"""Of which an axis may have any length: None."""


def expected_output(target: Column | None, num_samples: int) -> Shape | None:
    """The shape of a batch's logits, by the kind of the target; None where an objective may take any."""
    if target is not None and target.kind == "transcript":
        return (num_samples, None, target.num_classes)
    alignment = alignment_of(target)
    if target is None or alignment not in ("rows", "dense"):
        return None
    if alignment == "dense":
        return (num_samples, target.num_classes, *target.shape)
    return (num_samples, *target.shape, target.num_classes)


def _fits(returned: Any, expected: Shape | None) -> bool:
    outputs = outputs_of(returned)
    output = outputs.get(main_of(outputs) or 0, outputs.get(0))
    is_output = isinstance(output, Tensor) and output.is_floating_point()
    return is_output and (expected is None or _is_of(tuple(output.shape), expected))


def _is_of(shape: tuple[int, ...], expected: Shape) -> bool:
    if len(shape) != len(expected):
        return False
    return all(wanted in (None, length) for length, wanted in zip(shape, expected, strict=True))


def check_output(
    returned: Any,
    name: str,
    inputs: Tensor,
    target: Column | None,
    mode: str = "",
    *,
    is_one: bool = False,
    num_members: int = 1,
) -> None:
    """Raise TrainingError `model-output-shape` where a model made anything but what its target asks for, of a batch of
    inputs; `mode` says in which mode, where it may be another in the other, and `is_one` that it made one tensor in
    that. Of a model with several members, what each of them makes."""
    expected = expected_output(target, len(inputs))
    if expected is not None and num_members > 1:
        expected = (expected[0], num_members, *expected[1:])
    has_changed = is_one and not isinstance(returned, Tensor)
    if _fits(returned, expected) and not has_changed:
        return
    outputs = {} if has_changed else outputs_of(returned)
    main = main_of(outputs)
    output = returned if main is None else outputs[main]
    found = described(output)
    if isinstance(output, Tensor):
        found = str(tuple(output.shape)) if output.is_floating_point() else f"{tuple(output.shape)} of {output.dtype}"
        which = main if isinstance(main, str) else "the first"
        found += "" if isinstance(returned, Tensor) else f", {which} of what it returned"
    turned = f"{name}{mode} turned a batch of shape {tuple(inputs.shape)} into {found}"
    message = f"{turned}; expected {_in_words(expected, num_members)}"
    raise TrainingError("model-output-shape", message if isinstance(output, Tensor) else f"{message}; {WRAP}")


def _in_words(expected: Shape | None, num_members: int = 1) -> str:
    if expected is None:
        return "floating-point numbers"
    leading = ["batch"] if num_members == 1 else ["batch", "num_members"]
    between = "steps" if None in expected else "context_length"
    axes = ", ".join([*leading, *[between] * (len(expected) - len(leading) - 1), "num_classes"])
    lengths = ", ".join("any" if length is None else str(length) for length in expected)
    return f"logits ({axes}) = ({lengths})"
