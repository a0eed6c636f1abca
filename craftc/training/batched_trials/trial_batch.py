"""Trains the next epochs of K trainings whose steps are alike, all at once.

K: trainings, B: samples of a batch, N: trainable numbers of one model.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import vmap

from craftc.components.many import for_each_model
from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.batched_trials.optimizer import stack_optimizers
from craftc.training.batched_trials.stacked_state import Stack, Template
from craftc.training.data.device_split import Batch as Columns
from craftc.training.data.device_split import DeviceSplit, num_batches
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.pulse import Pulse
from craftc.training.foundation.random import Use, epoch_order, step_key
from craftc.training.loop.epoch import recorded
from craftc.training.parts.dropout import Counted, Rate, Run
from craftc.training.parts.objective import sum_and_weight
from craftc.training.parts.terms import Sums, shape_of_losses, weighing

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
        self._weighing = weighing([each.objective for each in parts], self.stack.weights)
        self._runs: dict[tuple[int, ...], list[Run]] = {}
        self._first_step = self._num_steps = 0
        self._keys_of: dict[tuple[Use, int], Tensor] = {}
        self._values: dict[str, list[Tensor]] = {}
        self._decays = [0.0 if each.ema_decay is None else each.ema_decay for each in parts]

    def _tensor(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.stack.weights.dtype, device=self.stack.weights.device)

    def train_epoch(
        self,
        train: DeviceSplit,
        *,
        epochs: Sequence[int],
        first_steps: Sequence[int],
        batch_size: int,
        pulses: Sequence[Pulse] = (),
    ) -> list[Metrics | TrainingError]:
        """Each training's next epoch (counts from 1), whose first step counts from 0. What `train_epoch` returns or
        raises, for each. All `pulses`, one each, beat when the first is due."""
        num_steps = num_batches(len(train), batch_size)
        lrs = self.begin_epoch(first_steps, num_steps)
        orders = [epoch_order(each.seed, epoch, len(train)) for each, epoch in zip(self.parts, epochs, strict=True)]
        order_KN = torch.stack(orders).to(train.x.device)
        precision = torch.float32 if train.x.device.type == "mps" else torch.float64
        shape = (2, len(self.parts), *shape_of_losses(self.template.objective))
        totals = torch.zeros(shape, dtype=precision, device=train.x.device)
        for index, indices_KB in enumerate(torch.split(order_KN, batch_size, dim=1)):
            steps = [first + index for first in first_steps]
            totals += self.train_step(gathered(train, indices_KB), index, steps)
            if pulses and pulses[0].is_due:
                for pulse, epoch in zip(pulses, epochs, strict=True):
                    pulse.beat(epoch, index + 1, num_steps)
        for pulse in pulses:
            pulse.rest()
        self.end_epoch(num_steps)
        found = zip(self.parts, *totals.tolist(), epochs, lrs[-1], strict=True)
        told = [_told(each.objective, loss, weight, epoch, lr) for each, loss, weight, epoch, lr in found]
        for parts, metrics, first in zip(self.parts, told, first_steps, strict=True):
            if not isinstance(metrics, TrainingError):
                last = parts.values.numbers(first + num_steps - 1)
                metrics |= {f"train/{name}": value for name, value in last.items()}
        return told

    def begin_epoch(self, first_steps: Sequence[int], num_steps: int) -> list[list[float]]:
        """Before `num_steps` steps: their learning rates, for each step those of all trainings."""
        each = list(zip(self.parts, first_steps, strict=True))
        self._first_step, self._num_steps = first_steps[0], num_steps
        self._keys_of.clear()
        lrs = [[parts.schedule.lr(parts.base_lrs[0], first + i) for parts, first in each] for i in range(num_steps)]
        self.optimizer.plan(lrs)
        self._values = self._values_of(first_steps, num_steps)
        self._num_averaged = [0 if parts.ema is None else int(parts.ema.n_averaged) for parts in self.parts]
        self._average_weights = [] if self.stack.average is None else self._shares(num_steps)
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

    def _shares(self, num_steps: int) -> list[Tensor]:
        """What of the new weights each step takes into the averages, (K, 1); the first weights are the average."""
        before = list(zip(self._decays, self._num_averaged, strict=True))
        shares = [[1.0 if num + i == 0 else 1 - decay for decay, num in before] for i in range(num_steps)]
        flat = [share for step in shares for share in step]
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
        self.doing = "objective"
        given = self.calls.given(output, batch)
        loss_sum, weight_sum = sum_and_weight(template.objective, self.parts[0].objective_call, given)
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
        x_KB = self._changed(batch[first], steps)
        if features is not None:
            found = features(x_KB.flatten(0, 1))
            x_KB = found.view(*x_KB.shape[:2], *found.shape[1:])
        return {**batch, first: x_KB}

    def _changed(self, x_KB: Tensor, steps: Sequence[int]) -> Tensor:
        augmentations = self.parts[0].augmentations
        if augmentations.is_empty:
            return x_KB
        if augmentations.are_keyed:
            augmented: Tensor = vmap(augmentations.by_key)(x_KB, self._keys("augmentation", steps))
            return augmented
        each = zip(self.parts, x_KB, steps, strict=True)
        return torch.stack([parts.augmentations(x_B, seed=parts.seed, step=step) for parts, x_B, step in each])

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
                parts.ema.n_averaged.fill_(num + num_steps)
                for average, buffer in zip(parts.ema.module.buffers(), parts.model.buffers(), strict=True):
                    average.copy_(buffer)


def gathered(split: DeviceSplit, indices_KB: Tensor) -> Columns:
    """The samples of K batches, (K, B, ...)."""
    shape = indices_KB.shape
    found = split.gathered(indices_KB.flatten())
    return {name: column.view(*shape, *column.shape[1:]) for name, column in found.items()}


def _told(objective: nn.Module, loss: Sums, weight: Sums, epoch: int, lr: float) -> Metrics | TrainingError:
    try:
        return recorded(objective, loss, weight, epoch=epoch, lr=lr)
    except TrainingError as error:
        return error
