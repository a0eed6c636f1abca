"""Measures whether, and how many at a time, trainings of one group are best trained as a batch."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from craftc.training.assemble import Parts
from craftc.training.batched_trials.compatibility import copy_of, try_out, unlike
from craftc.training.batched_trials.trial_batch import Batch, gathered
from craftc.training.data.device_split import DeviceSplit
from craftc.training.loop.step import train_step

SIZES = {"cpu": (1, 4, 16), "cuda": (1, 4, 16, 64)}
"""How many trainings a step is measured with."""
NUM_ROUNDS, NUM_WARM, NUM_TIMED = 2, 2, 3
LEAST_REPAID = 20
"""How many times the steps of the measurement must be left to train: a gain of 1.25, the least, repays it 4 times."""
MEMORY_SHARE = 0.5
"""Of the memory that is free."""


def sizes(num_trainings: int, device: torch.device) -> list[int]:
    """The sizes that are measured where there are so many trainings: the last may be all of them."""
    usual = SIZES.get(device.type, (1,))
    return sorted({min(size, num_trainings) for size in usual})


def is_worthwhile(num_trainings: int, num_steps: int, device: torch.device) -> bool:
    """Whether so many steps of so many trainings repay a measurement."""
    measured = sum(sizes(num_trainings, device)) * NUM_ROUNDS * (NUM_WARM + NUM_TIMED)
    return num_trainings > 1 and num_steps >= LEAST_REPAID * measured


def why_not(parts: Sequence[Parts], train: DeviceSplit, *, batch_size: int) -> str | None:
    """Why the trainings cannot be one batch, by comparing all of them and trying two; None where they can."""
    return unlike(parts) or try_out(parts[:2], train, batch_size=batch_size)


def room_for(parts: Parts, train: DeviceSplit, *, batch_size: int) -> tuple[int, int]:
    """How many trainings like this one the device has room for, and the bytes that each takes."""
    training_bytes = _training_bytes(parts, train, batch_size)
    return max(1, int(MEMORY_SHARE * _free_bytes(parts.device) / max(training_bytes, 1))), training_bytes


def measured(parts: Sequence[Parts], train: DeviceSplit, *, batch_size: int) -> dict[int, float]:
    """The seconds of a step by how many take it at once, of copies: the trainings stay as they are."""
    device = parts[0].device
    steps: dict[int, Callable[[], object]] = {}
    for size in sizes(len(parts), device):
        steps[size] = step_of([copy_of(each) for each in parts[:size]], train, batch_size)
    seconds = dict.fromkeys(steps, float("inf"))
    for _ in range(NUM_ROUNDS):
        for size, step in steps.items():
            seconds[size] = min(seconds[size], _timed(step, device))
    return seconds


def step_of(parts: Sequence[Parts], train: DeviceSplit, batch_size: int) -> Callable[[], object]:
    """What takes a step of these trainings; of one, as it does alone."""
    num_each = min(batch_size, len(train))
    order = torch.arange(num_each * len(parts), device=train.x.device) % len(train)
    indices_KB = order.view(len(parts), num_each)
    for each in parts:
        each.model.train()
        each.objective.train()
    if len(parts) == 1:
        return lambda: train_step(parts[0], train.gathered(indices_KB[0]), 0)
    batch = Batch(parts)
    zeros = [0] * len(parts)
    batch.begin_epoch(zeros, 1)
    return lambda: batch.train_step(gathered(train, indices_KB), 0, zeros)


def _timed(step: Callable[[], object], device: torch.device) -> float:
    """Seconds of a step, the least of a few."""
    # On one thread its own CPU time, which what else the machine does changes less.
    clock = time.thread_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    least = float("inf")
    for number in range(NUM_WARM + NUM_TIMED):
        start = clock()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number >= NUM_WARM:
            least = min(least, clock() - start)
    return least


def _training_bytes(parts: Parts, train: DeviceSplit, batch_size: int) -> int:
    """What a training keeps, and a step of it for its backward pass."""
    copied = copy_of(parts)
    num_numbers: int = sum(tensor.numel() * tensor.element_size() for tensor in copied.model.state_dict().values())
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step_of([copied], train, batch_size)()
    # Weights, gradients, two moments, an average, and the copies of them that a step makes.
    return 8 * num_numbers + 2 * sum(kept.values())


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 4 * 2**30
