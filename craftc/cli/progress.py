"""A run's events as live progress in a terminal, or as plain lines elsewhere."""

import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from craftc.cli.plan import num_searched
from craftc.cli.search_progress import SearchProgress
from craftc.cli.show_diagnostics import count
from craftc.report.gradients import layers_in, out_of_bounds
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import (
    EpochEnded,
    EpochRecord,
    Event,
    TrialFailed,
    TrialFinished,
    TrialProposed,
    TrialPruned,
    TrialStarted,
    TrialsWithheld,
)
from craftc.schemas.split_roles import role_of
from craftc.secret_text import masked
from craftc.training.foundation.best import not_finite
from craftc.training.foundation.pulse import read_pulse
from craftc.training.state.progress import metric_names

MAX_SHOWN = 12
"""Running trials that are shown line by line."""
MAX_TOLD = 3
"""Running trials that a heartbeat line lists."""
HEARTBEAT_S = 60.0
"""Of silence, after which a log gets a line: an hour of training is then at most sixty of them."""


class Tally:
    """How far a run is, by its events: what both displays count alike."""

    def __init__(self, plan: Plan, starts: Mapping[str, float] = MappingProxyType({})) -> None:
        """`starts`: see SearchProgress."""
        self.plan = plan
        self.search = SearchProgress(plan, starts)
        self.trials: dict[str, Trial] = {t.id: t for t in plan.trials if t.status == "new"}
        self.running: dict[str, EpochEnded | None] = {}
        self.num_finished = 0
        self.num_failed = 0
        self.num_pruned = 0
        self.num_trials = len(self.trials) + num_searched(plan)
        self._not_finite: set[str] = set()
        self._of_gradients: dict[str, list[EpochRecord]] = {}
        self._splits = plan.trials[0].config.get("data", {}).get("splits", {}) if plan.trials else {}
        # What a search will propose: known by number alone until then.
        self._num_to_propose = num_searched(plan)
        self._epochs_of_proposals = max((trial.epochs or 0 for trial in plan.trials), default=0)
        self._is_length_known = all(trial.epochs is not None for trial in plan.trials)
        self._epochs_left = {
            trial_id: 0 if trial.read_off else self._num_left(trial_id) for trial_id, trial in self.trials.items()
        }
        self._num_epochs_left = sum(self._epochs_left.values())
        self._num_trained = 0
        self._first_epoch_at: float | None = None

    @property
    def num_over(self) -> int:
        """Those that have an end."""
        return self.num_finished + self.num_failed + self.num_pruned

    def position(self, trial_id: str, epoch: int) -> str:
        """`epoch 3/20`: how far a trial is; `record 3` where it is not known how many there are."""
        trial = self.trials[trial_id]
        return f"{trial.record_name} {epoch}{'' if trial.epochs is None else f'/{trial.epochs}'}"

    def name(self, trial_id: str) -> str:
        """A trial as people know it."""
        trial = self.trials[trial_id]
        return f"{trial.variant} seed {trial.seed}{'' if trial.fold is None else f' fold {trial.fold}'}"

    def watched(self, metrics: dict[str, float]) -> str:
        """What is searched for, or the headline where it is measured at every epoch, else the same metric on a split
        that selects, else a loss."""
        headline = self.plan.headline
        splits = dict.fromkeys(name.partition("/")[0] for name in metrics)
        selecting = [name for name in splits if role_of(name, self._splits.get(name)) == "select"]
        names = (headline.name, *(f"{name}/{headline.metric}" for name in selecting), "train/loss", "train/objective")
        for name in names if self.search.metric is None else (self.search.metric, *names):
            if name in metrics:
                return f"{name} {metrics[name]:.4f}"
        return ""

    def warnings(self, event: Event) -> list[str]:
        """What is to be said of an event beside its outcome: what a trial has lost, metrics that are no numbers, and
        gradients that were out of their bounds."""
        found = [] if not isinstance(event, TrialStarted) or event.warning is None else [event]
        lost = [f"{self.name(each.trial)}: {each.warning}" for each in found]
        said = (self._not_finite_in(event), self._out_of_bounds(event))
        return [*lost, *(text for text in said if text is not None)]

    def _out_of_bounds(self, event: Event) -> str | None:
        """A sentence about the gradients of a trial that is over, as far as its epochs were seen."""
        if isinstance(event, EpochEnded):
            if self.trials[event.record.trial].gradient_bounds is not None:
                self._of_gradients.setdefault(event.record.trial, []).append(event.record)
            return None
        if not isinstance(event, TrialFinished | TrialFailed | TrialPruned):
            return None
        trial_id = event.result.trial if isinstance(event, TrialFinished) else event.trial
        records, trial = self._of_gradients.pop(trial_id, []), self.trials[trial_id]
        if not records or trial.gradient_bounds is None:
            return None
        return out_of_bounds(self.name(trial_id), layers_in(records), trial.gradient_bounds, trial.record_name)

    def _not_finite_in(self, event: Event) -> str | None:
        """A sentence about metrics that came to no finite number, each once in a run; None where there is none."""
        if isinstance(event, EpochEnded):
            record, of = event.record, self.trials[event.record.trial]
            measured = [] if of.is_program else metric_names(of)
            missing, trial, when = not_finite(record.metrics, measured), record.trial, f"in epoch {record.epoch} of "
        elif isinstance(event, TrialFinished) and not event.reused:
            missing, trial, when = list(event.result.not_finite), event.result.trial, "with the weights of "
            if self.trials[trial].is_program:
                when = "in every record of "
        else:
            return None
        new = [name for name in missing if name not in self._not_finite]
        self._not_finite.update(new)
        if not new:
            return None
        are = "is not a finite number" if len(new) == 1 else "are not finite numbers"
        outcome = "; such an epoch counts as no improvement" if isinstance(event, EpochEnded) else ""
        return f"{', '.join(new)} {are} {when}{self.name(trial)}{outcome}"

    def latest(self, event: Event) -> EpochEnded | None:
        """The last epoch of the trial that an event prunes, as long as it is running; None of any other event."""
        return self.running.get(event.trial) if isinstance(event, TrialPruned) else None

    def take(self, event: Event) -> None:
        """Count one event."""
        match event:
            case TrialProposed(trial=proposed):
                self.trials[proposed.id] = proposed
                self._is_length_known = self._is_length_known and proposed.epochs is not None
                self._leave(proposed.id, self._num_left(proposed.id))
                self._num_to_propose -= 1
            case TrialStarted(trial=trial, epoch=epoch):
                self._first_epoch_at = self._first_epoch_at or time.monotonic()
                self._leave(trial, self._num_left(trial, epoch))
                self.running[trial] = None
            case EpochEnded(record=record):
                self.running[record.trial] = event
                self._leave(record.trial, self._num_left(record.trial, record.epoch))
                self._num_trained += 1
            case TrialFinished(result=result):
                self.num_finished += 1
                self.search.take(self.trials[result.trial], result)
                self._end(result.trial)
            case TrialFailed(trial=trial):
                self.num_failed += 1
                self._end(trial)
            case TrialPruned(trial=trial):
                self.num_pruned += 1
                self._end(trial)
            case TrialsWithheld(trials=trials):
                self.num_trials -= len(trials)
                for trial in trials:
                    self._end(trial)

    def _end(self, trial_id: str) -> None:
        self.running.pop(trial_id, None)
        self._leave(trial_id, 0)

    def _num_left(self, trial_id: str, epoch: int = 0) -> int:
        """The epochs that a trial trains behind `epoch` at the most, as far as that is known; of one that is read off a
        finished trial, those of that."""
        return (self.trials[trial_id].epochs or epoch) - epoch

    def _leave(self, trial_id: str, num_epochs: int) -> None:
        """Set the epochs that a trial has before it; the sum is kept along, since it is asked for at every end."""
        self._num_epochs_left += num_epochs - self._epochs_left.get(trial_id, 0)
        self._epochs_left[trial_id] = num_epochs

    def seconds_left(self) -> float | None:
        """By the pace so far, were every trial to train all its epochs; None before anything is known, and where it is
        not known of a trial how many it trains."""
        if self._first_epoch_at is None or self._num_trained == 0 or not self._is_length_known:
            return None
        num_left = self._num_epochs_left + self._num_to_propose * self._epochs_of_proposals
        return (time.monotonic() - self._first_epoch_at) / self._num_trained * num_left

    def time_left(self) -> str:
        """`at most 1:05 left`, or nothing where it is not known."""
        seconds = self.seconds_left()
        return "" if seconds is None else f"at most {clock(seconds)} left"


def clock(seconds: float) -> str:
    """`0:42`, `1:05:09`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def outcome_line(
    tally: Tally, event: TrialFinished | TrialFailed | TrialPruned, latest: EpochEnded | None = None
) -> str:
    """One line for a trial that is over; of a point of a search also its parameters and the best so far. `latest` is
    the last epoch of a pruned one."""
    trial = tally.trials[event.result.trial if isinstance(event, TrialFinished) else event.trial]
    given = tally.search.parameters(trial)
    name = f"{tally.name(trial.id)}{f' ({given})' if given else ''}"
    best = tally.search.best(tally.search.study_of(trial))
    if isinstance(event, TrialPruned):
        value = tally.watched(latest.record.metrics) if latest else ""
        done = _done(event.epoch, event.epochs_planned, trial.record_name)
        line = f"{name}: pruned at {done}{f': {value}' if value else ''}"
    elif isinstance(event, TrialFailed):
        line = f"{name}: failed: {event.message}"
    else:
        result = event.result
        epochs = _done(result.epochs_trained, result.epochs_planned, trial.record_name)
        how = ", trained before" if event.reused else f" in {clock(result.seconds)}"
        execution = result.execution
        if not event.reused and execution.read_off is not None:
            how = f", read off trial {execution.read_off[:12]}"
        elif not event.reused and execution.trained_because is not None:
            how += f" (trained: {execution.trained_because})"
        line = f"{name}: {epochs}{how}, best {result.best_epoch}: {tally.watched(result.best)}"
    return f"{line}; {best}" if best else line


def withheld_line(event: TrialsWithheld) -> str:
    """What was saved of a run that adds seeds until variants are decided."""
    return f"{count(len(event.trials), 'trial')} withheld: their variants are decided without them"


def _done(num_epochs: int, num_planned: int | None, record_name: str) -> str:
    """`3 of 20 epochs`; `3 records` where it was not known how many there would be."""
    return (
        count(num_epochs, record_name) if num_planned is None else f"{num_epochs} of {count(num_planned, record_name)}"
    )


class PlainProgress:
    """One line for each trial that is over, and one a minute while none is: for logs and pipes.

    How far a trial is within its epoch is read from its folder in the `store`. `starts` are values of searched metrics
    that are known before.
    """

    def __init__(
        self,
        stream: TextIO,
        store: Store | None = None,
        starts: Mapping[str, float] = MappingProxyType({}),
        *,
        every_s: float = HEARTBEAT_S,
    ) -> None:
        self._stream = stream
        self._store = store
        self._starts = starts
        self._every_s = every_s
        self._tally: Tally | None = None
        self._started_at = self._said_at = time.monotonic()
        self._over = threading.Event()
        # What is counted and what is said: by the thread of the events, and by that of the heartbeat.
        self._lock = threading.RLock()
        self._heart: threading.Thread | None = None

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""
        self._tally = Tally(plan, self._starts)
        num_read_off = sum(trial.read_off is not None for trial in plan.trials)
        read_off = f", {num_read_off} to read off finished ones" if num_read_off else ""
        num_trained = self._tally.num_trials - num_read_off
        self._say(f"run {plan.name}/{run_name}: {count(num_trained, 'trial')} to train{read_off}")
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._heart.start()

    def event(self, event: Event) -> None:
        """See Observer.event."""
        tally = self._tally
        assert tally is not None
        with self._lock:
            latest = tally.latest(event)
            tally.take(event)
            for text in tally.warnings(event):
                self.warn(text)
            if isinstance(event, TrialFinished | TrialFailed | TrialPruned):
                left = tally.time_left() if tally.num_over < tally.num_trials else ""
                over = f"[{tally.num_over}/{tally.num_trials}]"
                self._say(f"{over} {outcome_line(tally, event, latest)}{f' ({left})' if left else ''}")
            elif isinstance(event, TrialsWithheld):
                self._say(withheld_line(event))

    def close(self) -> None:
        """See Observer.close."""
        self._over.set()
        if self._heart is not None:
            self._heart.join()

    def warn(self, text: str) -> None:
        """Tell of something that went wrong and does not end the run."""
        self._say(f"warning: {text}")

    def _say(self, line: str) -> None:
        with self._lock:
            print(masked(line), file=self._stream, flush=True)
            self._said_at = time.monotonic()

    def _beat(self) -> None:
        while not self._over.wait(max(0.01, self._said_at + self._every_s - time.monotonic())):
            with self._lock:
                if time.monotonic() - self._said_at >= self._every_s:
                    self._say(self._heartbeat())

    def _heartbeat(self) -> str:
        """`[0/3] after 12:00: full seed 0: epoch 3/20, step 120/900 of epoch 4, valid/accuracy 0.61, and 2 more`."""
        tally = self._tally
        assert tally is not None
        running = [self._position(tally, trial_id) for trial_id in list(tally.running)[:MAX_TOLD]]
        more = f", and {len(tally.running) - MAX_TOLD} more" if len(tally.running) > MAX_TOLD else ""
        left = f" ({tally.time_left()})" if tally.time_left() else ""
        now = "; ".join(running) + more or "no trial has begun yet"
        return f"[{tally.num_over}/{tally.num_trials}] after {clock(time.monotonic() - self._started_at)}: {now}{left}"

    def _position(self, tally: Tally, trial_id: str) -> str:
        latest = tally.running[trial_id]
        epoch = latest.record.epoch if latest is not None else 0
        metric = tally.watched(latest.record.metrics) if latest is not None else ""
        beat = read_pulse(self._store.folder(trial_id)) if self._store is not None else None
        within = f", step {beat.step}/{beat.steps} of epoch {beat.epoch}" if beat and beat.epoch > epoch else ""
        done = f"{tally.position(trial_id, epoch)}{within}"
        return f"{tally.name(trial_id)}: {done}{f', {metric}' if metric else ''}"


class LiveProgress:
    """A bar for the run and one for each running trial, drawn over themselves; finished trials stay above."""

    def __init__(self, console: Console, starts: Mapping[str, float] = MappingProxyType({})) -> None:
        self._console = console
        self._starts = starts
        self._live: Live | None = None
        self._tally: Tally | None = None
        self._started_at = time.monotonic()

    def start(self, plan: Plan, run_name: str) -> None:
        """See Observer.start."""
        self._tally = Tally(plan, self._starts)
        self._console.print(f"run [bold]{plan.name}/{run_name}[/]", highlight=False)
        self._live = Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=5, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()

    def event(self, event: Event) -> None:
        """See Observer.event."""
        tally = self._tally
        assert tally is not None
        latest = tally.latest(event)
        tally.take(event)
        for text in tally.warnings(event):
            self.warn(text)
        if isinstance(event, TrialFailed):
            self._console.print("[red]✗[/]", Text(masked(outcome_line(tally, event))))
        elif isinstance(event, TrialPruned):
            self._console.print("[yellow]-[/]", Text(outcome_line(tally, event, latest)), highlight=False)
        elif isinstance(event, TrialFinished):
            self._console.print("[green]✓[/]", Text(outcome_line(tally, event)), highlight=False)
        elif isinstance(event, TrialsWithheld):
            self._console.print(Text(withheld_line(event)), highlight=False)

    def close(self) -> None:
        """See Observer.close."""
        if self._live is not None:
            self._live.stop()

    def warn(self, text: str) -> None:
        """Tell of something that went wrong and does not end the run."""
        self._console.print("[yellow]warning:[/]", Text(masked(text)), highlight=False)

    def _draw(self) -> Group:
        tally = self._tally
        assert tally is not None
        elapsed = clock(time.monotonic() - self._started_at)
        total = Progress(TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[note]}"))
        failed = f", [red]{tally.num_failed} failed[/]" if tally.num_failed else ""
        note = f"{elapsed}  {tally.time_left() or 'starting Ray and the first trials'}{failed}"
        done, num_trials = tally.num_over, tally.num_trials
        total.add_task(f"[bold]{done}/{count(num_trials, 'trial')}[/]", total=num_trials, completed=done, note=note)
        bests = [Text(f"  {tally.search.metric}: {'; '.join(tally.search.bests())}")] if tally.search.bests() else []
        return Group(total, *bests, self._running(tally))

    def _running(self, tally: Tally) -> Table:
        table = Table.grid(padding=(0, 2))
        for trial_id, latest in list(tally.running.items())[:MAX_SHOWN]:
            epoch = latest.record.epoch if latest else 0
            metric = tally.watched(latest.record.metrics) if latest else ""
            # Text, since the brackets of a list in a variant's name are no markup.
            name = Text(f"  {tally.name(trial_id)}")
            given = Text(tally.search.parameters(tally.trials[trial_id]))
            table.add_row(
                name,
                *([given] if tally.search.metric else []),
                tally.position(trial_id, epoch),
                Text(metric),
            )
        if len(tally.running) > MAX_SHOWN:
            table.add_row(f"  and {len(tally.running) - MAX_SHOWN} more")
        return table
