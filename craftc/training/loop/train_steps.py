"""Trains steps of a record, over the borders of passes, and says what they came to."""

import math
from collections.abc import Iterator
from functools import partial
from itertools import islice

from torch import nn

from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch, DeviceSplit, train_batches
from craftc.training.foundation.course import Course, Stretch
from craftc.training.foundation.determinism import deterministic
from craftc.training.foundation.errors import require_finite
from craftc.training.foundation.pulse import Pulse
from craftc.training.foundation.random import epoch_order, key, seed_everything
from craftc.training.loop.step import train_step
from craftc.training.parts.optimizer import set_training
from craftc.training.parts.terms import Sums, losses_of, shape_of_losses
from craftc.training.state.running import Running, begin
from craftc.training.state.within_record import Checkpoints

NO_PULSE = Pulse(None)
NO_CHECKPOINTS = Checkpoints(None, lambda: None)


def begin_record(parts: Parts, first_step: int) -> Running:
    """A record of no steps."""
    return begin(first_step, shape_of_losses(parts.objective), parts.device, parts.layers)


def train_steps(
    parts: Parts,
    train: DeviceSplit,
    course: Course,
    running: Running,
    end: int,
    *,
    record: int = 1,
    pulse: Pulse = NO_PULSE,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> None:
    """Train on from where `running` is up to the step before `end`, within one `record` (counts from 1).

    Raises TrainingError `value-failed`, `not-deterministic` and `not-compilable`; nothing is read from the device.
    """
    parts.model.train()
    parts.objective.train()
    set_training(parts.optimizer, True)
    num_steps = course.end_of(record) - running.first_step
    while running.step < end:
        stretch = course.stretch(running.step, end)
        if stretch.place == 0:
            # What a user's own component draws from the global generators, the steps of a pass draw on from there.
            seed_everything(key(parts.seed, "epoch", stretch.pass_), parts.device)
        with deterministic(parts.deterministic):
            for batch in islice(batches_of(parts, train, course, stretch), stretch.num_steps):
                step = running.step
                take = partial(train_step, parts, batch, step, running.norms)
                if parts.compilation.is_settled:
                    running.add(*take())
                else:
                    running.add(*parts.compilation.take(step, parts.given(batch, step), take))
                pulse.beat(record, running.step - running.first_step, num_steps)
                if running.step < end:
                    checkpoints.after(running.step)
    pulse.rest()
    # What is evaluated and saved at the end of a record are the weights that the optimizer judges by.
    set_training(parts.optimizer, False)


def batches_of(parts: Parts, train: DeviceSplit, course: Course, stretch: Stretch) -> Iterator[Batch]:
    """The batches of a pass from the place of a stretch on: a step has its samples by its number alone."""
    order = epoch_order(parts.seed, stretch.pass_, len(train))[stretch.place * course.samples_per_step :]
    return train_batches(train, order, course.samples_per_step)


def came_to(parts: Parts, running: Running, record: int) -> Metrics:
    """`train/objective` of the steps so far, the mean as optimised, that of each term, `train/lr` and each value, those
    of the last step, and the norms of gradients where they are recorded. Raises TrainingError `nan-loss`; losses and
    norms are read from the device once, here."""
    loss, weight = running.sums()
    values = parts.values.numbers(running.step - 1)
    of_values = {f"train/{name}": value for name, value in values.items()}
    of_gradients = {} if running.norms is None else running.norms.metrics()
    return recorded(parts.objective, loss, weight, epoch=record, lr=running.lr) | of_values | of_gradients


def recorded(objective: nn.Module, loss: Sums, weight: Sums, *, epoch: int, lr: float) -> Metrics:
    """What a record says of its steps, by their losses as sums and weights. Raises TrainingError `nan-loss`."""
    found = losses_of(objective, loss, weight, "objective")
    require_finite(found["objective"], f"the training loss became {found['objective']}", epoch)
    finite = {f"train/{name}": value for name, value in found.items() if math.isfinite(value)}
    return {**finite, "train/lr": lr}
