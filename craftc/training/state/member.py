"""Holds a member of a training: one trial, and what it takes from the metrics that all of them record."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Metrics
from craftc.schemas.terms import objective_names, term_names
from craftc.training.foundation.course import Course
from craftc.training.state.gradient_norms import is_of_gradients
from craftc.training.state.progress import Progress, metric_names, prefixes


@dataclass(frozen=True)
class Member:
    """A trial, the folder of its files, and how far it is. Its record is that of a trial trained alone. Its `course` is
    known once its data are. `fault` says why it starts again, where it had been begun."""

    trial: Trial
    folder: Path
    progress: Progress = field(default_factory=Progress)
    course: Course | None = None
    fault: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether its training has ended, while that of others may go on."""
        return self.progress.is_over(self.trial, self.known_course)

    @property
    def known_course(self) -> Course:
        """Its course, in a training."""
        assert self.course is not None, "a course is known where a training is open"
        return self.course

    @property
    def next_end(self) -> int:
        """The number of steps that are taken at the end of its next record."""
        return self.known_course.end_of(self.progress.epoch + 1)

    @property
    def keeps_best(self) -> bool:
        """Whether the latest epoch's weights are to be kept as its best."""
        # Without selection the last epoch is the best, and is saved as such when it is known to be the last.
        return self.progress.is_best and (self.is_over or self.trial.config["evaluation"]["select"] != "none")

    @property
    def keeps_weights(self) -> bool:
        """Whether the latest epoch's weights are to be kept beside."""
        return any(self.progress.epoch % every == 0 for every in self.trial.keep_weights_every)

    def sees(self, record: EpochRecord) -> EpochRecord:
        """Its own record of an epoch that all were trained."""
        return record.model_copy(update={"trial": self.trial.id, "metrics": self.own(record.metrics)})

    def after(self, own: EpochRecord) -> "Member":
        """With one more epoch of its own. Raises TrainingError `metric-not-recorded`."""
        return replace(self, progress=self.progress.after(own, self.trial))

    def own(self, metrics: Metrics) -> Metrics:
        """Those of all values that it measures, split by split in the order of its metrics, then of its passes."""
        steps = ("objective", *self._objectives, "lr", *self._counted, *self._values)
        places = {name: place for place, name in enumerate((*steps, "loss", *self.all_names))}
        splits = list(dict.fromkeys(name.partition("/")[0] for name in metrics))
        mine = [name for name in metrics if name.partition("/")[2] in places]

        def place(name: str) -> tuple[int, int]:
            split, _, metric = name.partition("/")
            return splits.index(split), places[metric]

        # Trials of one training have the norms of its gradients in common.
        of_gradients = {name: value for name, value in metrics.items() if is_of_gradients(name)}
        return {name: metrics[name] for name in sorted(mine, key=place)} | of_gradients

    @property
    def _counted(self) -> tuple[str, ...]:
        return ("tokens",) if "max_tokens" in self.trial.config["training"] else ()

    @property
    def _values(self) -> tuple[str, ...]:
        return tuple(self.trial.config["training"].get("values", {}))

    @property
    def names(self) -> list[str]:
        """Of its terms and metrics, without their splits and without the loss."""
        return metric_names(self.trial)

    @property
    def all_names(self) -> list[str]:
        """Those, and what passes and after-stages record of them and of the loss."""
        plain = ("loss", *self.names)
        return [*self.names, *(f"{prefix}.{name}" for prefix in prefixes(self.trial) for name in plain)]

    @property
    def trained(self) -> list[str]:
        """What it records of the training itself, and not of weights."""
        return [f"train/{name}" for name in ("objective", *self._objectives, "lr", *self._counted, *self._values)]

    @property
    def _objectives(self) -> list[str]:
        return objective_names(term_names(self.trial.config["objective"]))


def unite(trials: Sequence[Trial]) -> Trial:
    """A trial of the same steps that measures what any of the trials does. It is the training that has a length."""
    first = trials[0]
    metrics = {metric["kind"]: metric for trial in trials for metric in trial.config["objective"]["metrics"]}
    config = first.config | {"objective": first.config["objective"] | {"metrics": list(metrics.values())}}
    return first.model_copy(update={"config": config})
