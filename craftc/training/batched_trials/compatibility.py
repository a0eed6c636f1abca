"""Finds out, also by trying, why trainings cannot be trained as one batch."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from craftc.training.assemble import Parts
from craftc.training.batched_trials.optimizer import unfit
from craftc.training.batched_trials.per_trial import per_trial_attributes
from craftc.training.batched_trials.stacked_state import places_of
from craftc.training.batched_trials.trial_batch import Batch, UnbatchableError, gathered
from craftc.training.batched_trials.vmap_fallback import no_vmap_fallback, without_rule
from craftc.training.data.device_split import Batch as Columns
from craftc.training.data.device_split import DeviceSplit
from craftc.training.loop.step import train_step
from craftc.training.parts.dropout import Counted
from craftc.training.parts.terms import is_shipped

NUM_STEPS = 2
LOSS_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
GRADIENT_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-8}
"""Of the largest number of a parameter's gradient. What is rounding is far below, what is another step far above."""

SAID = {
    ".item()": "Tensor.item(), which needs the value of one model",
    "data-dependent control flow": "a branch on the values of a tensor",
    "randomness error mode": "random numbers of torch's global generators",
    "vmap: inplace arithmetic": "an update in place of a tensor that all trainings share",
    "vmap: It looks like you're attempting to use a Tensor in some": "a branch on the values of a tensor",
}
"""What torch says, and in short."""


def unlike(parts: Sequence[Parts]) -> str | None:
    """What of the trainings' own objects keeps them out of one batch; nothing is computed."""
    first, *others = parts
    if first.device.type not in ("cpu", "cuda"):
        return f"no batches on {first.device.type}"
    if not first.micro_batches.is_one:
        return "a step of several batches is taken one batch after another"
    if first.sharpness is not None:
        return "regularization.sam: a step takes the gradient at two places, one after the other"
    if any(_needs_buffers_of_its_own(each) for each in parts):
        return "regularization.average: the buffers of the model are averaged or estimated apart from its weights"
    if (reason := unfit(first.optimizer)) is not None:
        return reason
    trained = [tensor for tensor, _ in places_of(first.model) if tensor.requires_grad]
    if len({tensor.dtype for tensor in trained}) != 1 or trained[0].dtype not in LOSS_TOLERANCE:
        return f"model: parameters of {', '.join(sorted({str(tensor.dtype) for tensor in trained}))}"
    given = {id(parameter) for parameter in first.optimizer.param_groups[0]["params"]}
    if given != {id(tensor) for tensor in trained}:
        return "optimizer: it does not have all parameters of the model"
    for other in others:
        for name in ("model", "objective"):
            if (difference := _difference(getattr(first, name), getattr(other, name))) is not None:
                return f"{name}: {difference}"
        if first.values.names != other.values.names:
            return "some trainings have values that others have not"
        if (first.ema is None) != (other.ema is None):
            return "some trainings average their weights, and some do not"
        if (first.layers is None) != (other.layers is None):
            return "some trainings record the norms of their gradients, and some do not"
    return None


def _needs_buffers_of_its_own(parts: Parts) -> bool:
    """Whether an average has buffers that are not those of the model behind the last step."""
    has_any = any(not isinstance(each, Counted) and each._buffers for each in parts.model.modules())
    return parts.averaging is not None and not parts.averaging.is_of_every_step and has_any


def _difference(one: nn.Module, other: nn.Module) -> str | None:
    ours, theirs = list(one.named_modules()), list(other.named_modules())
    if [(name, type(module)) for name, module in ours] != [(name, type(module)) for name, module in theirs]:
        return "its modules differ from training to training"
    if [(tensor.shape, tensor.dtype) for tensor, _ in places_of(one)] != [
        (tensor.shape, tensor.dtype) for tensor, _ in places_of(other)
    ]:
        return "its parameters differ in shape from training to training"
    for (name, module), (_, twin) in zip(ours, theirs, strict=True):
        mine, its = _attributes(module), _attributes(twin)
        if (attribute := next((key for key in mine if not _same(mine[key], its.get(key))), None)) is not None:
            place = f"{type(module).__name__}{f' {name}' if name else ''}"
            return f"{place} has its own {attribute} in each training, and no buffer holds it"
    return None


def _attributes(module: nn.Module) -> dict[str, Any]:
    """What a module is made of beside tensors and modules."""
    own = per_trial_attributes(module)
    return {
        name: value
        for name, value in vars(module).items()
        if name not in own and name not in ("_parameters", "_buffers", "_modules", "training") and "_hooks" not in name
    }


def _same(one: Any, other: Any) -> bool:
    """Whether two values are alike, of those that can be compared: numbers, texts, tensors and what contains them."""
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, bool | int | float | str | bytes | None):
        return type(one) is type(other) and bool(one == other)
    if isinstance(one, list | tuple):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return type(one) is type(other)


def try_out(parts: Sequence[Parts], train: DeviceSplit, *, batch_size: int) -> str | None:
    """Take two steps with each training alone and with all of them as one, and compare; why it is no use, or None.

    The trainings stay as they are. Raises NothingToSeeError.
    """
    copies, again = [copy_of(each) for each in parts], [copy_of(each) for each in parts]
    num_each = min(batch_size, len(train) // len(parts))
    indices_KB = torch.arange(num_each * len(parts), device=train.x.device).view(len(parts), num_each)
    batch = gathered(train, indices_KB)
    try:
        return _apart(_alone(copies, batch), _together(again, batch), copies, again)
    except UnbatchableError as error:
        return str(error)


def copy_of(parts: Parts) -> Parts:
    """A training of its own in the same state, for steps that are not to count."""
    names = ("model", "ema", "objective", "optimizer", "dropout_bits", "schedule")
    copied = dict(zip(names, copy.deepcopy([getattr(parts, name) for name in names]), strict=True))
    return replace(parts, joined=copied["model"], **copied)


@dataclass(frozen=True)
class _Trace:
    """The losses of all steps (steps, K), of terms (steps, K, T), and by parameter the gradient of the first,
    (K, *shape)."""

    losses: Tensor
    gradients: list[Tensor]


def _alone(parts: Sequence[Parts], batch: Columns) -> _Trace:
    losses: list[Tensor] = []
    gradients: list[list[Tensor]] = []
    for k, each in enumerate(parts):
        each.model.train()
        each.objective.train()
        before = _snapshot(each)
        for step in range(NUM_STEPS):
            loss_sum, weight_sum, _ = train_step(
                each, {name: column[k].clone() for name, column in batch.items()}, step
            )
            losses.append(loss_sum / weight_sum)
            if step == 0:
                gradients.append([_gradient(parameter) for parameter in each.optimizer.param_groups[0]["params"]])
        if not _same(before, _snapshot(each)):
            raise UnbatchableError("model: a step changes what it keeps outside of its buffers")
    columns = [torch.stack(column) for column in zip(*gradients, strict=True)]
    return _Trace(torch.stack(losses).view(len(parts), NUM_STEPS, *losses[0].shape).transpose(0, 1), columns)


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise UnbatchableError("model: a step leaves a parameter out")
    return parameter.grad.clone()


def _together(parts: Sequence[Parts], columns: Columns) -> _Trace:
    batch = Batch(parts)
    batch.begin_epoch([0] * len(parts), NUM_STEPS)
    losses: list[Tensor] = []
    gradients: list[Tensor] = []
    for step in range(NUM_STEPS):
        steps = [step] * len(parts)
        with refused(batch):
            batch.doing = "augmentation"
            augmented = batch.augmented({name: column.clone() for name, column in columns.items()}, steps)
            (loss_K, weight_K), gradient = batch.gradient(augmented, steps)
        losses.append(loss_K / weight_K)
        gradients = gradients or [column.clone() for column in batch.stack.views(gradient)]
        batch.update(gradient, step)
    batch.end_epoch(NUM_STEPS)
    return _Trace(torch.stack(losses), gradients)


@contextmanager
def refused(batch: Batch) -> Iterator[None]:
    """Raises UnbatchableError for whatever keeps a step of several models from being taken as one."""
    states = _states()
    try:
        # The fallback takes one model after another, which is no gain.
        with no_vmap_fallback():
            yield
    except UnbatchableError as error:
        raise UnbatchableError(f"{batch.doing}: {error}") from error
    except Exception as error:
        raise UnbatchableError(f"{batch.doing}: {_told(error)}") from error
    if not _same(states, _states()):
        # No objective that ships with craftc draws numbers.
        ships = is_shipped(batch.template.objective)
        part = "model" if ships else "model or objective"
        raise UnbatchableError(f"{part}: random numbers of Python or numpy")


def _states() -> Any:
    """Of the generators that are not torch's."""
    return random.getstate(), np.random.get_state()


def _told(error: Exception) -> str:
    if (operation := without_rule(error)) is not None:
        return f"{operation} has no rule for several models at once"
    text = str(error)
    short = next((short for said, short in SAID.items() if said in text), None)
    return short or f"{type(error).__name__}: {shorten(text, 160, placeholder=' ...')}"


class NothingToSeeError(Exception):
    """The trainings diverge within the steps that would show whether they can be one."""


def _apart(alone: _Trace, together: _Trace, copies: Sequence[Parts], again: Sequence[Parts]) -> str | None:
    """Where the two ways differ by more than rounding. Raises NothingToSeeError."""
    dtype = alone.gradients[0].dtype
    if not alone.losses.isfinite().all():
        raise NothingToSeeError
    if not torch.allclose(alone.losses, together.losses, rtol=LOSS_TOLERANCE[dtype], atol=0.0):
        return "model: as one of several its losses are others"
    # A gradient that is zero but for rounding is known no better than to the rounding of the others.
    noise = 0.01 * max(float(column.abs().max()) for column in alone.gradients)
    for ours, theirs in zip(alone.gradients, together.gradients, strict=True):
        if float((ours - theirs).abs().max()) > GRADIENT_TOLERANCE[dtype] * max(float(ours.abs().max()), noise):
            return "model: as one of several its gradients are others"
    for one, other in zip(copies, again, strict=True):
        for ours, theirs in zip(one.model.buffers(), other.model.buffers(), strict=True):
            if not torch.allclose(ours.double(), theirs.double(), rtol=1e-3, atol=1e-4):
                return "model: as one of several its buffers are others"
    return None


def _snapshot(parts: Parts) -> Any:
    modules = [*parts.model.modules(), *parts.objective.modules()]
    return [_kept(_attributes(module)) for module in modules]


def _kept(value: Any) -> Any:
    """A copy of what `_same` can tell; anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {name: _kept(item) for name, item in value.items()}
    return [_kept(item) for item in value] if isinstance(value, list | tuple) else value
