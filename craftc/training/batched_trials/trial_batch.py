"""Trains the next steps of K trainings whose steps are alike, all at once.

K: trainings, B: samples of a batch, N: trainable numbers of one model.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from craftc.components.many import for_each_model
from craftc.training.assemble import Parts
from craftc.training.batched_trials.gradients import norms_of
from craftc.training.batched_trials.optimizer import stack_optimizers
from craftc.training.batched_trials.stacked_state import Stack, Template
from craftc.training.data.device_split import Batch as Columns
from craftc.training.data.device_split import DeviceSplit
from craftc.training.foundation.course import Course
from craftc.training.foundation.random import Use, epoch_order, step_key
from craftc.training.parts.adaptive_clip import clip_units
from craftc.training.parts.dropout import Counted, Rate, Run
from craftc.training.parts.mixing import SHARE, mixed_loss
from craftc.training.parts.objective import sum_and_weight
from craftc.training.parts.terms import weighing
from craftc.training.state.running import Running

KEYS_AT_ONCE = 256
"""Steps whose keys are worked out together."""


class UnbatchableError(Exception):
    """What a step does cannot be done for several models at once."""


class Batch:
    """The trainings of a stack and how they take a step. Their own models, optimizers and averages are views of it, and
    are complete between epochs. `doing` is the part that a step is in, to report what failed."""

    def __init__(self, parts: Sequence[Parts], template: Template | None = None) -> None:
        self.parts, self.calls = parts, parts[0].step_calls
        self.doing = "model"
        self.template = template or Template(parts[0])
        self.template.serve(parts)
        self.stack = Stack(parts)
        self.optimizer = stack_optimizers(self.stack)
        norms = [float("inf") if each.clip_grad_norm is None else each.clip_grad_norm for each in parts]
        self._norms_K = None if min(norms) == float("inf") else self._tensor(norms)
        factors = [float("inf") if each.adaptive_clip is None else each.adaptive_clip for each in parts]
        self._factors_K = None if min(factors) == float("inf") else self._tensor(factors)
        self._norms_KP: Tensor | None = None
        self._weighing = weighing([each.objective for each in parts], self.stack.weights)
        self._runs: dict[tuple[int, ...], list[Run]] = {}
        self._first_step = self._num_steps = 0
        self._keys_of: dict[tuple[Use, int], Tensor] = {}
        self._values: dict[str, list[Tensor]] = {}

    def _tensor(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.stack.weights.dtype, device=self.stack.weights.device)

    def train_steps(
        self,
        train: DeviceSplit,
        course: Course,
        runnings: Sequence[Running],
        num_steps: int,
        *,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Train on each training's record in the making by `num_steps`; all are at the same place in a pass of their
        own. `beat` is called after each step."""
        lrs = self.begin_epoch([running.step for running in runnings], num_steps)
        for running in runnings:
            running.settle()
        totals = torch.stack([running.totals for running in runnings], dim=1)
        ends = [running.step + num_steps for running in runnings]
        for index, indices_KB in enumerate(self._indices(train, course, runnings, ends)):
            steps = [running.step for running in runnings]
            totals += self.train_step(gathered(train, indices_KB), index, steps)
            for k, running in enumerate(runnings):
                running.step += 1
                if running.norms is not None and self._norms_KP is not None:
                    running.norms.add(self._norms_KP[k])
            beat()
        for running, total, lr in zip(runnings, totals.unbind(1), lrs[-1], strict=True):
            running.totals, running.lr = total, lr
        self.end_epoch(num_steps)

    def _indices(
        self, train: DeviceSplit, course: Course, runnings: Sequence[Running], ends: Sequence[int]
    ) -> Iterator[Tensor]:
        """The samples of each step, (K, B)."""
        size = course.samples_per_step
        while runnings[0].step < ends[0]:
            orders = []
            for parts, running, end in zip(self.parts, runnings, ends, strict=True):
                pass_, place, num = course.stretch(running.step, end)
                orders.append(epoch_order(parts.seed, pass_, len(train))[place * size : (place + num) * size])
            yield from torch.split(torch.stack(orders).to(train.x.device), size, dim=1)

    def begin_epoch(self, first_steps: Sequence[int], num_steps: int) -> list[list[float]]:
        """Before `num_steps` steps: their learning rates, for each step those of all trainings."""
        each = list(zip(self.parts, first_steps, strict=True))
        self._first_step, self._num_steps = first_steps[0], num_steps
        self._keys_of.clear()
        lrs = [[parts.schedule.lr(parts.base_lrs[0], first + i) for parts, first in each] for i in range(num_steps)]
        self.optimizer.plan(lrs)
        self._values = self._values_of(first_steps, num_steps)
        self._num_averaged = [0 if parts.ema is None else int(parts.ema.n_averaged) for parts in self.parts]
        self._average_weights = [] if self.stack.average is None else self._shares(first_steps, num_steps)
        self.template.model.train()
        self.template.objective.train()
        return lrs

    def _values_of(self, first_steps: Sequence[int], num_steps: int) -> dict[str, list[Tensor]]:
        """The values of each step, (K,) by name."""
        first, device = self.parts[0].values, self.stack.weights.device
        each = [(parts.values, first_step) for parts, first_step in zip(self.parts, first_steps, strict=True)]
        steps = range(num_steps if first.names else 0)
        numbers = [[values.numbers(first_step + i) for values, first_step in each] for i in steps]
        return {
            name: list(torch.tensor([[k[name] for k in step] for step in numbers], dtype=first.dtype, device=device))
            for name in first.names
        }

    def _shares(self, first_steps: Sequence[int], num_steps: int) -> list[Tensor]:
        """What of the new weights each step takes into the averages, (K, 1); counts those that are taken."""
        flat: list[float] = []
        for i in range(1, num_steps + 1):
            for k, (parts, first) in enumerate(zip(self.parts, first_steps, strict=True)):
                assert parts.averaging is not None
                flat.append(parts.averaging.share(first + i, self._num_averaged[k]))
                self._num_averaged[k] += parts.averaging.takes(first + i)
        return list(self._tensor(flat).view(num_steps, -1, 1))

    def train_step(self, batch: Columns, index: int, steps: Sequence[int]) -> Tensor:
        """One step of all: the losses of the batches as sums and weights, (2, K), of terms (2, K, T). `index` counts
        the epoch's steps, `steps` those of each training."""
        losses, gradient = self.gradient(self.augmented(batch, steps), steps)
        self.update(gradient, index)
        return losses

    def gradient(self, batch: Columns, steps: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The losses of K batches as sums and weights (2, K), of terms (2, K, T), and the clipped gradients of what
        each training minimises, (K, N)."""
        loss_K, weight_K = self.forward(batch, steps)
        self.template.dropout_bits.turn()
        (gradient,) = torch.autograd.grad(self._minimised(loss_K / weight_K), self.stack.weights)
        self.template.dropout_bits.end()
        if self.parts[0].layers is not None:
            self._norms_KP = norms_of(self.stack.views(gradient))
        if self._factors_K is not None:
            clip_units(self.stack.views(self.stack.weights), self.stack.views(gradient), self._factors_K)
        if self._norms_K is not None:
            norm_K = torch.linalg.vector_norm(gradient, dim=1)
            gradient.mul_((self._norms_K / (norm_K + 1e-6)).clamp_(max=1.0)[:, None])
        return torch.stack([loss_K.detach(), weight_K.detach()]), gradient

    def _minimised(self, means_K: Tensor) -> Tensor:
        """The sum over trainings of what each minimises, of the means of their losses (K,), of terms (K, T)."""
        if self._weighing is None:
            return means_K.sum()
        weights_KT, trained = self._weighing
        return (weights_KT * means_K[:, trained]).sum()

    @torch.no_grad()
    def update(self, gradient: Tensor, index: int) -> None:
        """Change weights and averages by a gradient, which may be changed too."""
        self.optimizer.step(index, gradient)
        if self.stack.average is not None:
            self.stack.average.lerp_(self.stack.weights, self._average_weights[index])

    def forward(self, batch: Columns, steps: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The losses of K batches, as sums (K,) and weights (K,); of terms (K, T) each."""
        drawn = self._drawn(steps, tuple(batch[self.calls.first].shape[1:])) if self.template.is_random else ()
        trained = self.stack.views(self.stack.weights)
        batch = batch | {name: values[steps[0] - self._first_step] for name, values in self._values.items()}
        return for_each_model(self._one, trained, self.stack.held, batch, drawn)

    def _one(
        self, trained: list[Tensor], held: list[Tensor], batch: Columns, drawn: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """One model's loss; under vmap, all of them."""
        template, self.doing = self.template, "model"
        template.fill(trained, held)
        if drawn:
            template.dropout_bits.begin(
                (drawn[0], drawn[1]), batch[self.calls.first].shape, block=drawn[2] if len(drawn) > 2 else None
            )
        output = self.calls.predict(template.model, batch)
        self.doing, call = "objective", self.parts[0].objective_call
        if SHARE in batch:
            by_vmap = self.parts[0].mixes_by_vmap
            loss_sum, weight_sum = mixed_loss(template.objective, call, self.calls, output, batch, by_vmap=by_vmap)
        else:
            loss_sum, weight_sum = sum_and_weight(template.objective, call, self.calls.given(output, batch))
        if (replaced := template.replaced(held)) is not None:
            self.doing, name = replaced
            raise UnbatchableError(f"buffer {name} is replaced in a step, not updated in place")
        return loss_sum, weight_sum

    def _drawn(self, steps: Sequence[int], shape: tuple[int, ...]) -> tuple[Tensor, ...]:
        """The keys of the step, two (K, 1), and the factors of its dropout, once it is known how many."""
        key = self._keys("forward", steps)
        layout = self.template.dropout_bits.layout(shape)
        if layout is None:
            return key
        if shape not in self._runs:
            self._runs[shape] = layout.runs(self._rates())
        return *key, layout.factors(key, self._runs[shape])

    def _rates(self) -> dict[int, Rate]:
        """Of each dropout module, for all trainings; modules of the same rates have the same tensors."""
        rates: dict[tuple[float, ...], Rate] = {}
        found: dict[int, Rate] = {}
        for modules in zip(*(each.model.modules() for each in self.parts), strict=True):
            counted = [module for module in modules if isinstance(module, Counted)]
            if counted:
                same = tuple(module.p for module in counted)
                # As the bits are, for a comparison of other types takes longer.
                thresholds = torch.stack([module.threshold for module in counted]).to(torch.int16)
                scales = torch.stack([module.scale for module in counted])
                found[counted[0].module] = rates.setdefault(same, (thresholds[:, None], scales[:, None]))
        return found

    def augmented(self, batch: Columns, steps: Sequence[int]) -> Columns:
        """The models' inputs: the batches, each by the numbers of its own training and step, or a frozen backbone's
        features of them."""
        first, features = self.calls.first, self.parts[0].features
        batch = self._changed(batch, steps)
        if features is not None:
            x_KB = batch[first]
            found = features(x_KB.flatten(0, 1))
            batch = {**batch, first: found.view(*x_KB.shape[:2], *found.shape[1:])}
        return batch

    def _changed(self, batch: Columns, steps: Sequence[int]) -> Columns:
        augmentations, first = self.parts[0].augmentations, self.calls.first
        if augmentations.is_empty:
            return batch
        # What nothing changes need not go through it.
        read = {name: batch[name] for name in (first, *(augmentations.mixed_names if augmentations.mixes else ()))}
        if augmentations.are_keyed:
            keyed = vmap(lambda columns, key: augmentations.by_key(columns, first, key))
            return {**batch, **keyed(read, self._keys("augmentation", steps))}
        each = [
            parts.augmentations.of_batch({name: c[k] for name, c in read.items()}, first, seed=parts.seed, step=step)
            for k, (parts, step) in enumerate(zip(self.parts, steps, strict=True))
        ]
        return {**batch, **{name: torch.stack([columns[name] for columns in each]) for name in each[0]}}

    def _keys(self, use: Use, steps: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of each training's step, (K, 1) each. Sent to the device for many steps at once, since it is waited for."""
        block, index = divmod(steps[0] - self._first_step, KEYS_AT_ONCE)
        if (use, block) not in self._keys_of:
            self._keys_of = {known: keys for known, keys in self._keys_of.items() if known[0] != use}
            keys = [
                [step_key(parts.seed, use, step + more) for parts, step in zip(self.parts, steps, strict=True)]
                for more in range(-index, min(KEYS_AT_ONCE - index, self._num_steps - block * KEYS_AT_ONCE - index))
            ]
            self._keys_of[use, block] = torch.tensor(keys, dtype=torch.int32, device=self.stack.weights.device)
        both = self._keys_of[use, block][index]
        return both[:, :1], both[:, 1:]

    def end_epoch(self, num_steps: int) -> None:
        """Have each training's own optimizer and average be as if it had taken the steps alone."""
        self.optimizer.settle()
        for parts, num in zip(self.parts, self._num_averaged, strict=True):
            if parts.ema is not None:
                parts.ema.n_averaged.fill_(num)
                for average, buffer in zip(parts.ema.module.buffers(), parts.model.buffers(), strict=True):
                    average.copy_(buffer)


def gathered(split: DeviceSplit, indices_KB: Tensor) -> Columns:
    """The samples of K batches, (K, B, ...)."""
    shape = indices_KB.shape
    found = split.gathered(indices_KB.flatten())
    return {name: column.view(*shape, *column.shape[1:]) for name, column in found.items()}
