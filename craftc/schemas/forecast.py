"""The estimate of how long a plan takes, from what earlier trials took."""

from typing import Any, Literal

from craftc.schemas.frozen import Frozen, List
from craftc.schemas.result import Result

Similarity = Literal[
    "alike", "same-model", "other-batch-size", "same-kind", "same-arguments", "same-program",
]  # fmt: skip
"""How near earlier trials are to one that is to be trained, the nearest first.

alike: model, data, batch size and whatever else decides the time of a step. same-model: model and batch size.
other-batch-size: the model alone. same-kind: the model has other arguments. Of programs, same-arguments: whatever may
decide the time; same-program: the program has other arguments.
"""


class PastTrial(Frozen):
    """A finished trial of the store."""

    config: dict[str, Any]
    result: Result


class Machine(Frozen):
    """What jobs may occupy."""

    cpus: int
    gpus: int = 0


class Span(Frozen):
    """Hours. `low` and `high` are what the faster and the slower of the earlier trials would take; None where there is
    one alone, which shows no spread."""

    likely: float
    low: float | None = None
    high: float | None = None


class Basis(Frozen):
    """`num_past` earlier trials of one likeness, from which the time of `num_trials` is taken."""

    likeness: Similarity
    num_past: int
    num_trials: int


class Forecast(Frozen):
    """Of the new trials, those that a search proposes included.

    `trial_hours` are of training, times workers; `hours_left` until the last has ended, `concurrent` jobs at a time;
    None where that is not known. Of `num_unknown` trials nothing is known: the hours do not hold theirs.
    """

    trial_hours: Span | None = None
    hours_left: Span | None = None
    concurrent: int = 0
    based_on: List[Basis] = ()
    num_unknown: int = 0
    budget_hours: float | None = None

    @property
    def exceeds_budget(self) -> bool:
        """Whether the budget is likely to be spent before all trials have begun."""
        known = self.trial_hours
        return self.budget_hours is not None and known is not None and known.likely > self.budget_hours
