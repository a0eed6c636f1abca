"""Holds how far a trial is: all of its state that is not a tensor."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from craftc.schemas.catalogue import short_name
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Metrics
from craftc.schemas.terms import loss_names, term_names
from craftc.training.foundation.best import Best, not_finite, select
from craftc.training.foundation.course import Course
from craftc.training.state.early_stopping import is_stopped, watch


@dataclass(frozen=True)
class Progress:
    """After `epoch` records, which are epochs unless a spec says otherwise, and `step` steps.

    `selected` and `watched` are the bests of selection and early stopping;
    `metrics` are those of the latest epoch, `best_metrics` those of the selected one. `not_finite` counts, by metric,
    the epochs in which it came to no finite number."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    selected: Best = field(default_factory=Best)
    watched: Best = field(default_factory=Best)
    metrics: Metrics = field(default_factory=dict)
    best_metrics: Metrics = field(default_factory=dict)
    not_finite: dict[str, int] = field(default_factory=dict)

    @property
    def is_best(self) -> bool:
        """Whether the latest epoch is the selected one."""
        return self.selected.epoch == self.epoch

    def after(self, record: EpochRecord, trial: Trial) -> "Progress":
        """With one more epoch. Raises TrainingError where nothing computes a metric that decides something."""
        measured, setting = metric_names(trial), trial.config["evaluation"]["select"]
        selected = select(self.selected, setting, record.metrics, measured, record.epoch)
        missing = {name: self.not_finite.get(name, 0) + 1 for name in not_finite(record.metrics, measured)}
        return replace(
            self,
            epoch=record.epoch,
            step=record.step,
            seconds=self.seconds + record.seconds,
            selected=selected,
            watched=watch(self.watched, _early_stopping(trial), record.metrics, measured, record.epoch),
            metrics=record.metrics,
            best_metrics=record.metrics if selected.epoch == record.epoch else self.best_metrics,
            not_finite=self.not_finite | missing,
        )

    def is_over(self, trial: Trial, course: Course) -> bool:
        """Whether training ends here, planned or early."""
        return self.step >= course.num_steps or is_stopped(self.watched, _early_stopping(trial), self.epoch)

    def state_dict(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "Progress":
        """The reverse of `state_dict`."""
        return cls(**{**state, "selected": Best(**state["selected"]), "watched": Best(**state["watched"])})


def metric_names(trial: Trial) -> list[str]:
    """Of the trial's terms and metrics, without their splits and without the loss."""
    objective = trial.config["objective"]
    return loss_names(term_names(objective)) + [short_name(metric["kind"]) for metric in objective["metrics"]]


def prefixes(trial: Trial) -> list[str]:
    """What stands before the names of metrics that are measured in another way: the passes, then the after-stages."""
    evaluation = trial.config["evaluation"]
    return [*evaluation.get("passes", {}), *(short_name(stage["kind"]) for stage in evaluation.get("after", ()))]


def _early_stopping(trial: Trial) -> Any:
    return trial.config["training"]["early_stopping"]
