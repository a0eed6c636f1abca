"""Holds how long a training is, and when it records: what a configuration asks for, in steps of a train split of known
size.

Steps count from 0 over the whole training, passes over the train split and records from 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from craftc.schemas.samples_per_step import samples_per_step

EVERY_PASS = {"epochs": 1}
"""When a training records, where its configuration does not say."""


class Stretch(NamedTuple):
    """Steps of one pass: `num_steps` from the `place`-th of the pass on."""

    pass_: int
    place: int
    num_steps: int


@dataclass(frozen=True)
class Course:
    """The steps of a training. A step takes `samples_per_step` of the `num_samples` of the train split, the last step
    of a pass what is left of them. The last record may have fewer than `steps_per_record`."""

    num_samples: int
    samples_per_step: int
    num_steps: int
    steps_per_record: int

    @property
    def steps_per_pass(self) -> int:
        """Of one pass over the train split."""
        return steps_per_pass(self.num_samples, self.samples_per_step)

    @property
    def num_records(self) -> int:
        """Of the whole training."""
        return -(-self.num_steps // self.steps_per_record)

    def first_of(self, record: int) -> int:
        """The first step of a record."""
        return (record - 1) * self.steps_per_record

    def end_of(self, record: int) -> int:
        """The number of steps that are taken at the end of a record."""
        return min(record * self.steps_per_record, self.num_steps)

    def stretch(self, step: int, end: int) -> Stretch:
        """What comes of the pass of `step` from there on, up to the step before `end`."""
        passes, place = divmod(step, self.steps_per_pass)
        return Stretch(passes + 1, place, min(end - step, self.steps_per_pass - place))

    def is_within_pass(self, step: int) -> bool:
        """Whether a pass is begun and not over where so many steps are taken."""
        return step % self.steps_per_pass != 0

    def extended(self, others: "list[Course]") -> "Course":
        """As long as the longest of these, which all take the same steps."""
        return replace(self, num_steps=max(each.num_steps for each in (self, *others)))


def steps_per_pass(num_samples: int, samples_per_step: int) -> int:
    """With the last, smaller step."""
    return -(-num_samples // samples_per_step)


def course_of(config: Mapping[str, Any], num_samples: int, steps_of_tokens: int | None = None) -> Course:
    """The course of a configuration: of several bounds the first that is reached ends it. `steps_of_tokens` are the
    steps that `training.max_tokens` comes to; None without it."""
    training, taken = config["training"], samples_per_step(config["training"])
    of_a_pass = steps_per_pass(num_samples, taken)
    every = config.get("evaluation", {}).get("every", EVERY_PASS)
    epochs = training.get("epochs")
    bounds = (None if epochs is None else epochs * of_a_pass, training.get("max_steps"), steps_of_tokens)
    return Course(
        num_samples=num_samples,
        samples_per_step=taken,
        num_steps=min(bound for bound in bounds if bound is not None),
        steps_per_record=every["steps"] if "steps" in every else every["epochs"] * of_a_pass,
    )
