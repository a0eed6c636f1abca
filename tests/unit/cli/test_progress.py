"""Both displays of a run, fed with made-up events."""

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from craftc.cli.progress import MAX_SHOWN, LiveProgress, PlainProgress, Tally, clock
from craftc.runtime.store.store import Store
from craftc.schemas.plan import GradientBounds, Headline, Plan, SearchPlan, Trial
from craftc.schemas.result import (
    EpochEnded,
    EpochRecord,
    Event,
    Result,
    TrialFailed,
    TrialFinished,
    TrialProposed,
    TrialPruned,
    TrialStarted,
)
from craftc.training.foundation.pulse import FILE, Beat, Pulse, read_pulse


def trial_id(number: int) -> str:
    return f"{number:064x}"


def plan(num_trials: int = 3, epochs: int = 4) -> Plan:
    trials = [
        Trial(
            id=trial_id(n),
            variant=f"[v]{n}[/]",
            seed=n,
            config={"training": {"epochs": epochs}, "objective": {"metrics": []}},
        )
        for n in range(num_trials)
    ]
    reused = Trial(
        id=trial_id(999),
        variant="old",
        seed=0,
        config={"training": {"epochs": epochs}, "objective": {"metrics": []}},
        status="reused",
    )
    headline = Headline(split="test", metric="accuracy", mode="max")
    return Plan(name="n", baseline="[v]0[/]", headline=headline, trials=(*trials, reused))


def ended(number: int, epoch: int) -> EpochEnded:
    metrics = {"valid/accuracy": 0.5 + epoch / 10, "train/loss": 1.0}
    return EpochEnded(record=EpochRecord(trial=trial_id(number), epoch=epoch, step=epoch, metrics=metrics, seconds=0.1))


def finished(number: int, *, reused: bool = False) -> TrialFinished:
    result = Result(
        trial=trial_id(number),
        best_epoch=3,
        epochs_trained=4,
        epochs_planned=4,
        steps=9,
        best={"test/accuracy": 0.875},
        last={},
        trivial={},
        identities={},
        num_parameters=1,
        split_sizes={},
        seconds=62.0,
        device="cpu",
        craftc_version="0",
    )
    return TrialFinished(result=result, reused=reused)


EVENTS: list[Event] = [
    TrialStarted(trial=trial_id(0)),
    ended(0, 1),
    TrialStarted(trial=trial_id(1), epoch=2),
    finished(0),
    TrialFailed(trial=trial_id(1), code="nan-loss", message="the loss is not finite", epoch=3),
    finished(2, reused=True),
]


def test_plain_lines() -> None:
    stream = io.StringIO()
    display = PlainProgress(stream)
    display.start(plan(), "20260101_000000")
    for event in EVENTS:
        display.event(event)
    display.warn("W&B is away")
    display.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "run n/20260101_000000: 3 trials to train"
    assert lines[1].startswith("[1/3] [v]0[/] seed 0: 4 of 4 epochs in 1:02, best 3: test/accuracy 0.8750 (at most ")
    assert lines[2].startswith("[2/3] [v]1[/] seed 1: failed: the loss is not finite")
    assert lines[3] == "[3/3] [v]2[/] seed 2: 4 of 4 epochs, trained before, best 3: test/accuracy 0.8750"
    assert lines[4] == "warning: W&B is away"


def test_a_log_that_would_be_silent_gets_a_line(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    folder = store.folder(trial_id(0))
    folder.mkdir(parents=True)
    Pulse(folder).beat(2, 30, 90)
    assert read_pulse(folder) is None  # an epoch of less than half a minute writes nothing
    (folder / FILE).write_text('{"epoch": 2, "step": 30, "steps": 90}')
    stream = io.StringIO()
    display = PlainProgress(stream, store, every_s=0.05)
    display.start(plan(), "20260101_000000")
    wait_for(stream, "no trial has begun yet")
    display.event(TrialStarted(trial=trial_id(0)))
    display.event(ended(0, 1))
    wait_for(stream, "step 30/90")
    display.close()
    length = len(stream.getvalue())
    time.sleep(0.2)
    assert len(stream.getvalue()) == length
    lines = stream.getvalue().splitlines()
    assert lines[1] == "[0/3] after 0:00: no trial has begun yet"
    assert lines[-1].startswith("[0/3] after 0:0")
    position = "[v]0[/] seed 0: epoch 1/4, step 30/90 of epoch 2, valid/accuracy 0.6000 (at most "
    assert position in lines[-1]


def test_a_heartbeat_comes_only_after_silence() -> None:
    stream = io.StringIO()
    display = PlainProgress(stream)
    display.start(plan(), "20260101_000000")
    for event in EVENTS:
        display.event(event)
    display.close()
    assert "after" not in stream.getvalue()


def test_a_pulse_is_gone_behind_its_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("craftc.training.foundation.pulse.EVERY_S", 0.0)
    pulse = Pulse(tmp_path)
    pulse.beat(1, 3, 9)
    assert read_pulse(tmp_path) == Beat(1, 3, 9)
    pulse.rest()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / FILE).write_text("{")
    assert read_pulse(tmp_path) is None


def wait_for(stream: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 600
    while text not in stream.getvalue():
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.01)


def test_live_display() -> None:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=100)
    display = LiveProgress(console)
    display.start(plan(), "20260101_000000")
    for event in EVENTS[:3]:
        display.event(event)
    console.print(display._draw())
    assert "[v]0[/] seed 0  epoch 1/4  valid/accuracy 0.6000" in console.export_text(clear=False)
    for event in EVENTS[3:]:
        display.event(event)
    display.warn("W&B is [away]")
    console.print(display._draw())
    display.close()
    text = console.export_text()
    assert "run n/20260101_000000" in text
    assert "0/3 trials" in text
    assert "[v]0[/] seed 0" in text
    assert "epoch 1/4" in text
    assert "valid/accuracy 0.6000" in text
    assert "✓ [v]0[/] seed 0: 4 of 4 epochs in 1:02" in text
    assert "✗ [v]1[/] seed 1: failed: the loss is not finite" in text
    assert "warning: W&B is [away]" in text
    assert "3/3 trials" in text
    assert "1 failed" in text


def test_many_running_trials_are_counted_and_not_listed() -> None:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=100)
    display = LiveProgress(console)
    display.start(plan(MAX_SHOWN + 5), "r")
    for number in range(MAX_SHOWN + 5):
        display.event(TrialStarted(trial=trial_id(number)))
    console.print(display._draw())
    display.close()
    assert "and 5 more" in console.export_text()


def test_time_left_counts_the_epochs_that_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("craftc.cli.progress.time.monotonic", lambda: now[0])
    tally = Tally(plan(num_trials=2, epochs=4))
    assert tally.time_left() == ""
    tally.take(TrialStarted(trial=trial_id(0)))
    now[0] = 110.0
    tally.take(ended(0, 1))
    assert tally.seconds_left() == pytest.approx(70.0)
    assert tally.time_left() == "at most 1:10 left"
    tally.take(finished(0))
    assert tally.seconds_left() == pytest.approx(40.0)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (42.4, "0:42"), (59.6, "1:00"), (3909, "1:05:09")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def search_plan(num_seeds: int = 1) -> Plan:
    config = {"training": {"epochs": 4}, "objective": {"metrics": [{"kind": "accuracy"}]}}
    trials = tuple(Trial(id=trial_id(n), variant="base", seed=n, config=config) for n in range(num_seeds))
    search = SearchPlan(
        metric="valid/loss", mode="min", space={"training.optimizer.lr": {}, "model.width": {}}, sampler={}, pruner={},
        trials=3, seed=0, variants=("base",),
    )  # fmt: skip
    headline = Headline(split="test", metric="accuracy", mode="max")
    return Plan(name="n", baseline="base", headline=headline, trials=trials, search=search)


def proposed(number: int, variant: str, lr: float, width: object = 8, seed: int = 0) -> TrialProposed:
    overrides = {"training.optimizer.lr": lr, "model.width": width}
    config = search_plan().trials[0].config
    trial = Trial(id=trial_id(number), variant=variant, seed=seed, overrides=overrides, config=config)
    return TrialProposed(trial=trial)


def measured(number: int, loss: float, *, reused: bool = False) -> TrialFinished:
    event = finished(number, reused=reused)
    return event.model_copy(update={"result": event.result.model_copy(update={"best": {"valid/loss": loss}})})


def shown(display: PlainProgress, stream: io.StringIO, events: list[Event]) -> list[str]:
    for event in events:
        display.event(event)
    return stream.getvalue().splitlines()


def test_points_show_what_is_searched_for_with_their_parameters_and_the_best_so_far() -> None:
    stream = io.StringIO()
    display = PlainProgress(stream)
    display.start(search_plan(), "r")
    lines = shown(
        display, stream,
        [
            measured(0, 0.9), proposed(1, "base#1", 0.01, "8"), measured(1, 0.7),
            proposed(1, "base#2", 0.01), measured(1, 0.7, reused=True),
            proposed(2, "base#3", 1e12), TrialFailed(trial=trial_id(2), code="nan-loss", message="it diverged"),
        ],
    )  # fmt: skip
    assert lines == [
        "run n/r: 4 trials to train",
        "[1/4] base seed 0: 4 of 4 epochs in 1:02, best 3: valid/loss 0.9000; best so far 0.9000 (base)",
        '[2/4] base#1 seed 0 (lr=0.01, width="8"): 4 of 4 epochs in 1:02, best 3: valid/loss 0.7000; '
        "best so far 0.7000 (base#1)",
        "[3/4] base#2 seed 0 (lr=0.01, width=8): 4 of 4 epochs, trained before, best 3: valid/loss 0.7000; "
        "best so far 0.7000 (base#1)",
        "[4/4] base#3 seed 0 (lr=1e+12, width=8): failed: it diverged; best so far 0.7000 (base#1)",
    ]


def test_a_point_of_several_seeds_has_a_value_with_the_last_of_them() -> None:
    tally = Tally(search_plan(num_seeds=2), {"base": 0.5})
    assert (tally.num_trials, tally.search.best("base")) == (8, "best so far 0.5000 (base)")
    for seed, loss in enumerate((0.1, 0.3)):
        tally.take(proposed(10 + seed, "base#1", 0.01, seed=seed))
        tally.take(measured(10 + seed, loss))
        assert tally.search.best("base") == ["best so far 0.5000 (base)", "best so far 0.2000 (base#1)"][seed]


def test_a_metric_that_is_not_finite_is_told_once() -> None:
    stream = io.StringIO()
    display = PlainProgress(stream)
    display.start(search_plan(num_seeds=2), "r")
    metrics = [{"valid/loss": 1.0, "valid/accuracy": 0.5}, {"valid/loss": 1.0}, {"valid/loss": 1.0}]
    records = [
        EpochEnded(record=EpochRecord(trial=trial_id(n % 2), epoch=n + 1, step=1, metrics=values, seconds=0.1))
        for n, values in enumerate(metrics)
    ]
    end = measured(0, 0.9)
    counts = {"valid/accuracy": 1, "test/accuracy": 1}
    end = end.model_copy(update={"result": end.result.model_copy(update={"not_finite": counts})})
    warnings = [line for line in shown(display, stream, [*records, end]) if line.startswith("warning")]
    assert warnings == [
        "warning: valid/accuracy is not a finite number in epoch 2 of base seed 1; such an epoch counts as no "
        "improvement",
        "warning: test/accuracy is not a finite number with the weights of base seed 0",
    ]


PROGRAM = {"program": {"kind": "lab:train"}, "training": {"early_stopping": "none"}, "evaluation": {"select": "none"}}


def test_where_it_is_not_known_how_many_records_there_will_be_none_are_promised(tmp_path: Path) -> None:
    stream, whole = io.StringIO(), plan(1)
    trials = tuple(trial.model_copy(update={"config": PROGRAM}) for trial in whole.trials)
    display = PlainProgress(stream, Store(tmp_path), every_s=0.05)
    display.start(whole.model_copy(update={"trials": trials}), "20260101_000000")
    display.event(TrialStarted(trial=trial_id(0)))
    display.event(ended(0, 3))
    wait_for(stream, "[v]0[/] seed 0: record 3, valid/accuracy 0.8000\n")
    display.event(TrialPruned(trial=trial_id(0), epoch=3, epochs_planned=None))
    result = finished(0).result.model_copy(update={"epochs_planned": None, "num_parameters": None})
    display.event(TrialFinished(result=result))
    display.close()
    lines = stream.getvalue().splitlines()
    assert "[1/1] [v]0[/] seed 0: pruned at 3 records: valid/accuracy 0.8000" in lines
    assert lines[-1] == "[2/1] [v]0[/] seed 0: 4 records in 1:02, best 3: test/accuracy 0.8750"
    assert "left" not in stream.getvalue()


def test_gradients_out_of_bounds_are_told_of_when_a_trial_is_over() -> None:
    bounds = GradientBounds(below=1e-7, above=100.0)
    watched = plan(2)
    trials = [trial.model_copy(update={"gradient_bounds": bounds}) for trial in watched.trials]
    tally = Tally(watched.model_copy(update={"trials": tuple(trials)}))
    told: list[str] = []
    for number, epoch, largest in ((0, 1, 5.0), (1, 1, 5.0), (0, 2, 500.0)):
        metrics = {"train/gradient_norm.head": 1.0, "train/gradient_norm_max.head": largest}
        record = EpochRecord(trial=trial_id(number), epoch=epoch, step=epoch, metrics=metrics, seconds=0.1)
        for event in (EpochEnded(record=record),):
            tally.take(event)
            told += tally.warnings(event)
    assert not told
    failed = TrialFailed(trial=trial_id(0), code="nan-loss", message="the loss is nan")
    for over in (failed, finished(1)):
        tally.take(over)
        told += tally.warnings(over)
    assert told == ["The gradient of [v]0[/] seed 0 is above 100 in head (epoch 2)"]
