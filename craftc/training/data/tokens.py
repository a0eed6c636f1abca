"""Counts the tokens that a model reads in training, so that trainings can be compared at equal numbers of them.

N: samples, T: tokens of a sample.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.sources.columns import MASK
from craftc.schemas.samples_per_step import samples_per_step
from craftc.training.data.split import Split
from craftc.training.foundation.course import Course, course_of, steps_per_pass
from craftc.training.foundation.errors import TrainingError

Order = Callable[[int], NDArray[np.int64]]
"""The order of the samples in a pass, (N,); passes count from 1."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of each sample, (N,), of which each step of a pass takes so many samples in the pass's `order`."""

    of_samples: NDArray[np.int64]
    samples_per_step: int
    order: Order

    @property
    def _of_a_pass(self) -> int:
        return int(self.of_samples.sum())

    @property
    def _steps_per_pass(self) -> int:
        return steps_per_pass(len(self.of_samples), self.samples_per_step)

    def after(self, num_steps: int) -> int:
        """How many tokens so many steps have read."""
        passes, place = divmod(num_steps, self._steps_per_pass)
        total = passes * self._of_a_pass
        if place:
            total += int(self.of_samples[self.order(passes + 1)[: place * self.samples_per_step]].sum())
        return total

    def steps_to(self, num_tokens: int) -> int:
        """The steps that it takes to read so many: the first number of them with which the sum reaches that."""
        passes, rest = divmod(num_tokens - 1, self._of_a_pass)
        read = np.cumsum(self.of_samples[self.order(passes + 1)])
        # The sample with which it is reached, and the step that takes it.
        sample = int(np.searchsorted(read, rest + 1))
        return passes * self._steps_per_pass + sample // self.samples_per_step + 1


def tokens_of_samples(split: Split) -> NDArray[np.int64] | None:
    """The tokens of each sample that a model is given, without those that a mask leaves out; None where it is given no
    tokens."""
    inputs = [split.columns[name] for name in split.named("input")]
    found = [column for column in inputs if column.kind == "token"]
    if not found:
        return None
    mask = split.columns[MASK] if MASK in split.named("mask") else None
    total = np.zeros(len(split), dtype=np.int64)
    for column in found:
        is_masked = mask is not None and mask.shape == column.shape
        total += mask.values.sum(axis=1) if mask is not None and is_masked else column.values.shape[1]
    return total


def find_course(config: Mapping[str, Any], train: Split, order: Order) -> tuple[Course, Tokens | None]:
    """The course of a configuration, and the tokens where its length or what it records depends on them.

    Raises TrainingError `no-tokens`.
    """
    most = config["training"].get("max_tokens")
    if most is None:
        return course_of(config, len(train)), None
    of_samples = tokens_of_samples(train)
    if of_samples is None or not of_samples.sum():
        given = ", ".join(f"{name} ({train.columns[name].kind})" for name in train.named("input"))
        message = f"training.max_tokens counts the tokens that a model reads, and it is given {given}"
        raise TrainingError("no-tokens", f"{message}; write max_steps or epochs")
    # A model reads each view of a sample.
    of_samples = of_samples * config["data"].get("views", 1)
    tokens = Tokens(of_samples, samples_per_step(config["training"]), order)
    return course_of(config, len(train), tokens.steps_to(most)), tokens
