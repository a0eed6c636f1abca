"""The result of a trial, and the events that a run reports."""

from typing import Annotated, Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen, List
from craftc.schemas.plan import Trial

Metrics = dict[str, float]
"""`<split>/<metric>` to value. A value that could not be computed is absent, never NaN."""


class EpochRecord(Frozen):
    """One record of one trial: an epoch, or what its spec or its program records in the place of one. `epoch` counts
    them from 1; `step` is the number of optimizer steps so far."""

    trial: str
    epoch: int = Field(ge=1)
    step: int = Field(ge=0)
    metrics: Metrics
    seconds: float = Field(ge=0)


class Execution(Frozen):
    """How a trial was trained, which is no part of what it is.

    `batched` is the most trainings that were one batch with it at a time, 1 for a trial trained alone; `alone_because`
    says why, where others could have been trained with it. `compiled` says whether its steps were, at the end;
    `uncompiled_because` why not, where that was to be found out. `read_off` is the finished trial whose weights it was
    measured with, so that nothing was trained; `trained_because` says why it was trained after all. `micro_batch` is
    how many samples of a batch went through forward and backward at a time, where that was asked for or found out.
    """

    batched: int = Field(1, ge=1)
    alone_because: str | None = None
    precision: str = "float32"
    compiled: bool = False
    uncompiled_because: str | None = None
    read_off: str | None = None
    trained_because: str | None = None
    micro_batch: int | None = Field(None, ge=1)


class Result(Frozen):
    """A finished trial. `best` and `last` hold every split's metrics with the best and the last epoch's weights;
    `trivial` those of always predicting the class frequencies of the train split, of metrics to which that means
    something.

    `identities` says, for every metric name without its split, all that defines it ("macro recall over 10 classes"),
    so that values of different definitions are never compared. `shares` are the names, without
    their split, of metrics that lie between 0 and 1. `not_finite` counts the epochs in which a `<split>/<metric>` came
    to no finite number. `classes` are in the order of their numbers; none for text, whose classes are its tokens. Of a
    program it is not known how many records were planned, nor how many parameters it trained.
    """

    trial: str
    best_epoch: int = Field(ge=1)
    epochs_trained: int = Field(ge=1)
    epochs_planned: int | None = Field(ge=1)
    steps: int = Field(ge=0)
    best: Metrics
    last: Metrics
    trivial: Metrics
    identities: dict[str, str]
    shares: List[str] = ()
    not_finite: dict[str, int] = Field(default_factory=dict)
    num_parameters: int | None = Field(ge=0)
    split_sizes: dict[str, int]
    seconds: float = Field(ge=0)
    device: str
    craftc_version: str
    execution: Execution = Field(default_factory=Execution)
    classes: List[str] = ()


class TrialProposed(Frozen):
    """A search asks for a trial that is not in the plan."""

    type: Literal["proposed"] = "proposed"
    trial: Trial


class TrialStarted(Frozen):
    """A process took up the trial; `epoch` have been trained before, in an interrupted run. `warning` says what of
    that is lost."""

    type: Literal["started"] = "started"
    trial: str
    epoch: int = 0
    warning: str | None = None


class EpochEnded(Frozen):
    """An epoch is in the store."""

    type: Literal["epoch"] = "epoch"
    record: EpochRecord


class TrialFinished(Frozen):
    """The result is in the store. `reused`: another run finished it first."""

    type: Literal["finished"] = "finished"
    result: Result
    reused: bool = False


class TrialFailed(Frozen):
    """The trial ended without a result. `message` is one sentence; `code` a permanent name of the cause."""

    type: Literal["failed"] = "failed"
    trial: str
    code: str
    message: str
    epoch: int | None = None
    traceback: str = ""


class TrialPruned(Frozen):
    """A search stopped the trial behind `epoch`, 0 before it began; its checkpoint and history stay in the store.

    `reason`: the pruner gave its point up, or another seed of its point failed.
    """

    type: Literal["pruned"] = "pruned"
    trial: str
    epoch: int = Field(ge=0)
    epochs_planned: int | None = Field(ge=1)
    reason: Literal["pruner", "other-seed-failed"] = "pruner"


class TrialWarning(Frozen):
    """What keeps a trial from nothing, but hardly is what was meant. `code` is that of a diagnostic."""

    code: str
    message: str


class TrialTried(Frozen):
    """A trial was tried before anything is trained: two steps and an evaluation. `failure` says that it cannot be
    trained, `warning` that it hardly can; `seconds` is what that took, 0 of a trial that there was no time to try."""

    type: Literal["tried"] = "tried"
    trial: str
    failure: TrialFailed | None = None
    warning: TrialWarning | None = None
    seconds: float = Field(0.0, ge=0)


class BudgetSpent(Frozen):
    """The run began no more trials, since its budget was spent. Reported once, at its end.

    `trials` are those of the plan that were not begun; `num_points` counts those that its searches were still to
    propose. Hours are of training, times workers.
    """

    type: Literal["budget-spent"] = "budget-spent"
    budget_hours: float = Field(gt=0)
    spent_hours: float = Field(ge=0)
    trials: List[str] = ()
    num_points: int = Field(0, ge=0)


class TrialsWithheld(Frozen):
    """The run needs no results of these trials of its plan: their variants were decided without them. Reported once, at
    its end."""

    type: Literal["withheld"] = "withheld"
    trials: List[str]


Event = Annotated[
    TrialProposed
    | TrialStarted
    | EpochEnded
    | TrialFinished
    | TrialFailed
    | TrialPruned
    | TrialTried
    | BudgetSpent
    | TrialsWithheld,
    Field(discriminator="type"),
]
