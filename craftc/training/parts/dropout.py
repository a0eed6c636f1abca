"""Makes the dropout of a model draw numbers that depend only on the trial, the step and the place.

The number that decides on a value is a hash of the step's key, of the module's number in the model, of which of its
calls in the step it is, and of the value's place in the tensor. A trial's numbers are thus the same alone, among the K
of a batch, and on several workers, where each draws those of its own part.

M: pairs of decisions in a step, K: trials of a batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor, nn

from craftc.components.many import are_many, of_many
from craftc.components.numbers import Key, hashed, walk
from craftc.training.foundation.backward_pass import NO_TASK, graph_task
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import step_key

MOST_AT_ONCE = 2**24
"""Decisions of a step that are drawn at once and kept as factors until its backward is over, with what is hashed for
them kept for good: 6 bytes each. Those of a larger step are drawn where they are used, and keep one byte each."""

Place = tuple[int, int, int, int]
"""Module, call, first decision and number of decisions of one use of dropout."""

Use = tuple[int, int, int]
"""The same without the first decision, which is that of the first sample: a compiled step serves any samples."""

Rate = tuple[float, float] | tuple[Tensor, Tensor]
"""The threshold that 16 random bits, as a number with a sign, have to reach for a value to be kept, and what is kept is
scaled by. Of K trials, two tensors (K, 1)."""

Run = tuple[int, int, Rate]
"""From a place in the block to before another, and the rate there."""


@dataclass(frozen=True)
class Layout:
    """Where each use of dropout finds its decisions in the one block that is drawn for a step: `counters` (M,) int32,
    by use the first of its decisions, and by module the stretches of the block that are its own."""

    counters: Tensor
    starts: dict[Use, int]
    stretches: tuple[tuple[int, int, int], ...]

    def block(self, key: Key) -> Tensor:
        """The step's random bits, (2 * M,) int16, or (K, 2 * M) for the keys of K trials."""
        return hashed(self.counters, key).view(torch.int16)

    def runs(self, rates: Mapping[int, Rate]) -> list[Run]:
        """The stretches of the block that have a rate, neighbours of one rate as one; `rates` are by module."""
        runs: list[Run] = []
        for module, start, stop in self.stretches:
            rate = rates[module]
            # Tensors are compared by identity.
            if runs and (runs[-1][2] is rate or (isinstance(rate[0], float) and runs[-1][2] == rate)):
                start = runs.pop()[0]
            runs.append((start, stop, rate))
        return runs

    def factors(self, key: Key, runs: Sequence[Run]) -> Tensor:
        """What every value is multiplied by, 0 or its scale: float32 in the shape of `block`."""
        block = self.block(key)
        for start, stop, (threshold, _) in runs:
            # In place, since a comparison that gives bool takes nine times as long.
            block[..., start:stop].ge_(threshold)
        factors = block.float()
        for start, stop, (_, scale) in runs:
            factors[..., start:stop].mul_(scale)
        return factors


class DropoutBits:
    """What the dropout modules of one model draw from. A step is from `begin` to `end`, its backward from `turn` on."""

    def __init__(self) -> None:
        self.is_open = False
        self._graph_task = graph_task()
        self._is_turned = False
        self._rates: dict[int, Rate] = {}
        self._runs: dict[tuple[int, ...], list[Run]] = {}
        self.block: Tensor | None = None
        self._key: Key | None = None
        self._layouts: dict[tuple[int, ...], Layout] = {}
        self._num_kept = 0
        self._starts: dict[Use, int] = {}
        self._seen: set[tuple[int, ...]] = set()
        self._shape: tuple[int, ...] = ()
        self._calls: dict[int, int] = {}
        self._taken: list[Place] = []
        self._device = torch.device("cpu")

    def set_rate(self, module: int, rate: Rate) -> None:
        """From the next step on, the module of that number drops values at this rate."""
        self._rates[module] = rate
        self._runs.clear()

    def layout(self, shape: Sequence[int], *, first_sample: int = 0) -> Layout | None:
        """That of a step on inputs of this shape, once there was one."""
        return self._layouts.get((*shape, first_sample))

    def begin(self, key: Key, shape: Sequence[int], *, first_sample: int = 0, block: Tensor | None = None) -> None:
        """A step on inputs of `shape` (P, ...), which are samples of the batch from `first_sample` on.

        `block` is what the layout gives for the key, `block` or `factors`, where that has been worked out already.
        """
        self._key, self._shape, self.is_open = key, (*shape, first_sample), True
        self._is_turned = False
        self._calls.clear()
        self._taken.clear()
        layout = self._layouts.get(self._shape)
        self._starts = {} if layout is None else layout.starts
        self.block = block
        if layout is not None and block is None:
            if self._shape not in self._runs:
                self._runs[self._shape] = layout.runs(self._rates)
            self.block = layout.factors(key, self._runs[self._shape])

    @property
    def is_known(self) -> bool:
        """Whether there was a step on as many samples from the same one on, so that it is known what this one draws."""
        return self._shape in self._seen

    def turn(self) -> None:
        """The forward is over: until `end`, only what is computed again draws."""
        self._is_turned = True

    def end(self) -> None:
        """Forward and backward are over: what is drawn now belongs to no step."""
        num_taken = sum(num for *_, num in self._taken)
        if self._taken and self._shape not in self._layouts and num_taken <= MOST_AT_ONCE - self._num_kept:
            self._layouts[self._shape] = _layout(self._taken, self._device)
            # What follows the first part of a step is kept beside it.
            self._num_kept += num_taken if self._shape[-1] else 0
        self._seen.add(self._shape)
        self.block, self._key, self.is_open = None, None, False

    def drop(self, module: int, x: Tensor, shape: torch.Size, threshold: Tensor, scale: Tensor) -> Tensor:
        """`x` with values zeroed and the others scaled, as one use of dropout has it; `shape` is that of its decisions,
        to which those of x broadcast."""
        num = shape.numel()
        call = self._call(module)
        start = self._starts.get((module, call, num))
        if start is not None and self.block is not None:
            found = self.block[start : start + num].view(shape)
            if found.dtype == torch.float32:
                return (x * found).to(x.dtype)
        else:
            assert self._key is not None
            place = (module, call, self._first(shape, num), num)
            counters, skipped = _counters(place, x.device)
            found = _halves(hashed(counters, self._key))[skipped : skipped + num].view(shape)
            self._taken.append(place)
            self._device = x.device
        # Whether a value is kept is all that is held for backward. The scale itself, rounded to the 8 or 11 bits of a
        # lower precision, would be off by up to 0.4%.
        kept = x * (found >= threshold)
        return (kept.to(torch.promote_types(x.dtype, torch.float32)) * scale).to(x.dtype)

    def _call(self, module: int) -> int:
        """The number of this call of the module in the step."""
        calls = self._calls.get(module, 0)
        if not torch.compiler.is_compiling() and self._is_in_backward():
            # Activation checkpointing computes the forward again within the backward, and must see the same numbers.
            if calls > 1:
                message = f"dropout module {module} is used {calls} times in a step, and checkpointed"
                raise TrainingError("model-forward", f"{message}; give each use a module of its own")
            return 0
        self._calls[module] = calls + 1
        return calls

    def _is_in_backward(self) -> bool:
        return self._is_turned if self._graph_task is None else self._graph_task() != NO_TASK

    def _first(self, x_shape: torch.Size, num: int) -> int:
        """The number of the first decision: those before are of the samples of other workers.

        A tensor is one of samples if an axis of it is as long as they are many, or the first a multiple of that: the
        samples may lie beside their lines in one axis.
        """
        num_samples, first_sample = self._shape[0], self._shape[-1]
        if first_sample == 0 or not (num_samples in x_shape or x_shape[0] % num_samples == 0):
            return 0
        return first_sample * (num // num_samples)


class Counted(nn.Module):
    """What torch's dropout modules become: the same, but for where their numbers come from.

    `p` counts in steps of 1/65,536, and what is kept is scaled by just that. Threshold and scale are buffers, so that
    those of K models can be stacked; a state_dict has nothing of them.
    """

    per_trial_attributes: ClassVar = ("_p", "dropout_bits")
    module: int
    dropout_bits: DropoutBits
    threshold: Tensor
    scale: Tensor
    num_channel_axes: int | None = None
    """Of a module that zeroes channels: the axes of a lone sample (C, ...); 0 where there are batches only."""

    @property
    def p(self) -> float:
        """The probability that a value is zeroed, as it was given."""
        return self._p

    @p.setter
    def p(self, p: float) -> None:
        self._p = p
        threshold, scale = self._rate()
        before = self._buffers.get("scale")
        device = None if before is None else before.device
        # int32, which gloo can send; beside an int16 tensor a scalar counts as one.
        counts = torch.tensor(int(threshold), dtype=torch.int32, device=device)
        self.register_buffer("threshold", counts, persistent=False)
        self.register_buffer("scale", torch.tensor(scale, device=device), persistent=False)
        if "dropout_bits" in vars(self):
            self.dropout_bits.set_rate(self.module, (threshold, scale))

    def stand_for(self, others: Sequence["Counted"]) -> None:
        """Draw where any of these does; the rates are in each one's buffers."""
        self._p = max(other.p for other in others)

    def _rate(self) -> tuple[float, float]:
        num_dropped = 0 if self._p <= 0 else min(max(round(self._p * 65536), 1), 65535)
        return float(num_dropped - 32768), 0.0 if self._p >= 1 else 65536 / (65536 - num_dropped)

    def drawing(self, dropout_bits: DropoutBits, module: int) -> None:
        """Have it draw as the module of that number."""
        self.dropout_bits, self.module = dropout_bits, module
        dropout_bits.set_rate(module, self._rate())

    def forward(self, x: Tensor) -> Tensor:
        """The mean over draws is `x`. In eval mode, and where p is 0, `x` itself."""
        if not self.training or self._p == 0.0:
            return x
        if not self.dropout_bits.is_open:
            # Outside of a step, as in an evaluation of the user's own: torch's numbers, seeded for that use.
            plain: Tensor = super().forward(x)
            return plain
        # Not as attributes, which nn.Module takes 0.5 us to find; see `stacked_state.Place` for why torch keeps these.
        threshold, scale = self._buffers["threshold"], self._buffers["scale"]
        assert threshold is not None
        assert scale is not None
        return self.dropout_bits.drop(self.module, x, self._decided(x), threshold, scale)

    def _decided(self, x: Tensor) -> torch.Size:
        if self.num_channel_axes is None:
            return x.shape
        num_kept = 1 if x.dim() == self.num_channel_axes else 2
        return torch.Size([*x.shape[:num_kept], *[1] * (x.dim() - num_kept)])


class Dropout(Counted, nn.Dropout):
    """One decision for each value."""


class Dropout1d(Counted, nn.Dropout1d):
    """One decision for each channel of (N, C, L) or (C, L)."""

    num_channel_axes = 2


class Dropout2d(Counted, nn.Dropout2d):
    """One decision for each channel of (N, C, H, W), and as in torch of (N, C, L)."""

    num_channel_axes = 0


class Dropout3d(Counted, nn.Dropout3d):
    """One decision for each channel of (N, C, D, H, W) or (C, D, H, W)."""

    num_channel_axes = 4


COUNTED: dict[type[nn.Module], type[Counted]] = {
    nn.Dropout: Dropout,
    nn.Dropout1d: Dropout1d,
    nn.Dropout2d: Dropout2d,
    nn.Dropout3d: Dropout3d,
}


def count_dropout(model: nn.Module, order: Sequence[nn.Module] = ()) -> DropoutBits:
    """Have every dropout module of the model draw counted numbers, in training; what it is to draw from. `order` are
    the modules by whose places they are counted, of a model that some were taken out of; else its own.

    The modules are the same objects as before, wherever the model knows them from. A subclass of the user's own may do
    anything, and stays as it is.
    """
    dropout_bits = DropoutBits()
    modules = list(model.modules())
    numbers = {id(module): number for number, module in enumerate(order or modules)}
    for module in modules:
        number = numbers.get(id(module), -1)  # what stands for another draws nothing
        counted = COUNTED.get(type(module))
        if counted is not None:
            p = vars(module).pop("p")
            module.__class__ = counted
            module.p = p
        if isinstance(module, Counted):
            module.drawing(dropout_bits, number)
    return dropout_bits


@lru_cache(maxsize=4096)
def _module_key(module: int, call: int) -> tuple[int, int]:
    return step_key(module, "dropout", call)


def _halves(bits: Tensor) -> Tensor:
    """Numbers of 32 bits as twice as many of 16. vmap has no rule for that before torch 2.13."""
    return of_many(lambda bits_K: bits_K.view(torch.int16), bits) if are_many(bits) else bits.view(torch.int16)


def _counters(place: Place, device: torch.device) -> tuple[Tensor, int]:
    """What is hashed for the decisions of a place, two of them for each; and how many come before the first."""
    module, call, first, num = place
    pairs = walk(first // 2, (first + num + 1) // 2 - first // 2, device)
    return hashed(pairs, _module_key(module, call)), first % 2


def _layout(taken: Sequence[Place], device: torch.device) -> Layout:
    starts: dict[Use, int] = {}
    pieces: list[Tensor] = []
    stretches: list[tuple[int, int, int]] = []
    num = 0
    for place in taken:
        counters, skipped = _counters(place, device)
        module, call, _, num_decisions = place
        starts[module, call, num_decisions] = num + skipped
        pieces.append(counters)
        stretches.append((place[0], num, num + 2 * len(counters)))
        num += 2 * len(counters)
    return Layout(torch.cat(pieces), starts, tuple(stretches))
