"""How far a program is, by its records: what is selected, what early stopping watches, and its result."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from craftc import __version__
from craftc.runtime.programs.ending import ProgramError
from craftc.schemas.plan import Trial
from craftc.schemas.result import EpochRecord, Metrics, Result
from craftc.training.foundation.best import Best
from craftc.training.state.early_stopping import is_stopped


@dataclass(frozen=True)
class Standing:
    """After the records of a trial so far. `selected` and `watched` are the bests of selection and early stopping;
    `not_finite` counts, by metric, the records in which it was no finite number; `final` is measured at the end."""

    trial: Trial
    last: EpochRecord | None = None
    best: EpochRecord | None = None
    selected: Best = field(default_factory=Best)
    watched: Best = field(default_factory=Best)
    seconds: float = 0.0
    not_finite: Mapping[str, int] = field(default_factory=dict)
    final: Metrics = field(default_factory=dict)

    @property
    def num_records(self) -> int:
        """The records so far."""
        return 0 if self.last is None else self.last.epoch

    @property
    def is_stopped_early(self) -> bool:
        """Whether early stopping ends the trial here."""
        return is_stopped(self.watched, self.trial.config["training"]["early_stopping"], self.num_records)

    def after(self, record: EpochRecord, not_finite: Collection[str], watched: str | None) -> "Standing":
        """With one more record. `watched` is what a search is decided by. Raises ProgramError `metric-not-recorded`
        where the record lacks a metric that something is decided by."""
        stopping, select = self.trial.config["training"]["early_stopping"], self.trial.config["evaluation"]["select"]
        for asks, name in _asked(stopping, select, watched):
            _check_recorded(name, asks, record, not_finite)
        selected = Best(record.epoch) if select == "none" else _followed(self.selected, select, record)
        counts = {name: self.not_finite.get(name, 0) + 1 for name in not_finite}
        return replace(
            self,
            last=record,
            best=record if selected.epoch == record.epoch else self.best,
            selected=selected,
            watched=self.watched if stopping == "none" else _followed(self.watched, stopping, record),
            seconds=self.seconds + record.seconds,
            not_finite={**self.not_finite, **counts},
        )

    def finished(self, metrics: Metrics, not_finite: Collection[str]) -> "Standing":
        """With what is measured once."""
        counts = {name: self.not_finite.get(name, 0) + 1 for name in not_finite}
        return replace(self, final={**self.final, **metrics}, not_finite={**self.not_finite, **counts})

    def result(self, device: str, seconds_since: float) -> Result:
        """What the trial came to; `seconds_since` its last record are its, too. It has a record."""
        assert self.last is not None
        best = self.best or self.last
        names = {name.partition("/")[2] for name in (*best.metrics, *self.last.metrics, *self.final)}
        return Result(
            trial=self.trial.id,
            best_epoch=best.epoch,
            epochs_trained=self.last.epoch,
            epochs_planned=None,
            steps=self.last.step,
            best={**best.metrics, **self.final},
            last={**self.last.metrics, **self.final},
            trivial={},
            identities=dict.fromkeys(sorted(names), "as the program reports it"),
            not_finite=dict(self.not_finite),
            num_parameters=None,
            split_sizes={},
            seconds=self.seconds + seconds_since,
            device=device,
            craftc_version=__version__,
        )


def standing_of(
    trial: Trial, history: Sequence[EpochRecord], not_finite: Mapping[str, int], watched: str | None
) -> Standing:
    """That of records which are on the disk; `not_finite` was counted over them."""
    standing = Standing(trial)
    for record in history:
        # A metric that was not finite is in no record.
        names = {name for _, name in _asked(*_settings(trial), watched)} - record.metrics.keys()
        standing = standing.after(record, names, watched)
    return replace(standing, not_finite=dict(not_finite))


def _settings(trial: Trial) -> tuple[Any, Any]:
    return trial.config["training"]["early_stopping"], trial.config["evaluation"]["select"]


def _asked(stopping: Any, select: Any, watched: str | None) -> list[tuple[str, str]]:
    """What decides by which metric."""
    asked = [("evaluation.select", select), ("training.early_stopping", stopping)]
    named = [(key, setting["metric"]) for key, setting in asked if isinstance(setting, Mapping)]
    return [*named, *([] if watched is None else [("search.optimize", watched)])]


def _check_recorded(name: str, asked_by: str, record: EpochRecord, not_finite: Collection[str]) -> None:
    if name in record.metrics or name in not_finite:
        return
    reported = sorted({*record.metrics, *not_finite})
    near = get_close_matches(name, reported, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    message = f"{asked_by} watches {name}, which the program did not report; it reported {', '.join(reported)}{meant}"
    raise ProgramError("metric-not-recorded", message, record.epoch)


def _followed(best: Best, setting: Mapping[str, Any], record: EpochRecord) -> Best:
    """While no record had a value, the latest stands for the best."""
    value = record.metrics.get(setting["metric"])
    if value is None:
        return Best(record.epoch) if best.value is None and "patience" not in setting else best
    return best.after(record.epoch, value, setting["mode"], setting.get("min_delta", 0.0))
