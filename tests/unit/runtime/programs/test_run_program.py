"""Programs as trials: their records, results and state, and what becomes of them when they are killed."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from craftc.runtime.jobs.decide import Reporter
from craftc.runtime.jobs.job_source import Point
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.schemas.result import (
    EpochEnded,
    Event,
    Result,
    TrialFailed,
    TrialFinished,
    TrialPruned,
    TrialStarted,
)

Program = Callable[..., Trial]
Events = Callable[..., Iterator[Event]]
BEST = {"metric": "train/loss", "mode": "min"}
PATIENCE = {"metric": "valid/value", "mode": "max", "patience": 2, "min_delta": 0.0}


def result_of(events: Iterator[Event]) -> Result:
    *_, end = events
    assert isinstance(end, TrialFinished), end
    return end.result


def failure_of(events: Iterator[Event]) -> TrialFailed:
    *_, end = events
    assert isinstance(end, TrialFailed), end
    return end


def numbers(store: Store, trial: Trial) -> list[tuple[Any, ...]]:
    return [(record.epoch, record.step, record.metrics) for record in store.history(trial.id)]


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_each_report_is_a_record_and_what_is_measured_once_belongs_to_both_ends(
    program: Program, events: Events, store: Store
) -> None:
    trial = program("counts", epochs=3, lr=0.25, select=BEST)
    first, *middle, end = events(trial)
    assert first == TrialStarted(trial=trial.id)
    records = [event.record for event in middle if isinstance(event, EpochEnded)]
    assert [(record.epoch, record.step) for record in records] == [(1, 10), (2, 20), (3, 30)]
    assert store.history(trial.id) == records
    assert isinstance(end, TrialFinished)
    result = end.result
    assert store.result(trial.id) == result
    assert result.best_epoch == 1
    assert result.best == {**records[0].metrics, "test/value": records[2].metrics["valid/value"] + 1}
    assert result.last == {**records[2].metrics, "test/value": records[2].metrics["valid/value"] + 1}
    assert (result.epochs_trained, result.epochs_planned, result.steps) == (3, None, 30)
    assert result.num_parameters is None
    assert result.identities == dict.fromkeys(("loss", "value"), "as the program reports it")
    assert "epoch 3 of" in (store.folder(trial.id) / "output.log").read_text()


def test_a_killed_program_goes_on_from_the_state_of_its_last_report(
    program: Program, events: Events, store: Store
) -> None:
    whole, killed = program("counts", select=BEST), program("counts", select=BEST, dies_at=4, seed=4)
    killed = killed.model_copy(update={"seed": 3})
    expected = result_of(events(whole))
    failed = failure_of(events(killed))
    assert (failed.code, failed.epoch) == ("program-exited", 3)
    assert "SIGKILL" in failed.message
    first, *_, end = events(killed)
    assert first == TrialStarted(trial=killed.id, epoch=3)
    assert isinstance(end, TrialFinished)
    assert (end.result.best, end.result.last) == (expected.best, expected.last)
    assert numbers(store, killed) == numbers(store, whole)


def test_without_a_state_it_begins_anew_and_says_so(program: Program, events: Events, store: Store) -> None:
    whole, killed = program("counts"), program("counts", keeps=False, dies_at=3, seed=4)
    killed = killed.model_copy(update={"seed": 3})
    expected = result_of(events(whole))
    failure_of(events(killed))
    first, *_, end = events(killed)
    assert isinstance(first, TrialStarted)
    assert first.epoch == 0
    assert first.warning == "it begins anew, since the program handed over no state with its 2 records"
    assert isinstance(end, TrialFinished)
    assert end.result.last == expected.last
    assert numbers(store, killed) == numbers(store, whole)


def test_a_damaged_state_is_as_good_as_none(program: Program, events: Events, store: Store) -> None:
    trial = program("counts", dies_at=3)
    failure_of(events(trial))
    (state,) = (store.folder(trial.id) / "checkpoints").glob("last.pt.2")
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    first, *_, end = events(trial)
    assert isinstance(first, TrialStarted)
    assert first.warning is not None
    assert "does not have the SHA-256" in first.warning
    assert isinstance(end, TrialFinished)
    assert end.result.epochs_trained == 5


def test_a_file_that_was_handed_over_is_again_what_it_was(program: Program, events: Events, store: Store) -> None:
    trial = program("keeps_a_file", dies_at=3)
    failure_of(events(trial))
    assert (store.folder(trial.id) / "files" / "last.txt").read_text() == "torn"
    assert result_of(events(trial)).epochs_trained == 4
    assert [record.metrics["train/loss"] for record in store.history(trial.id)] == [1, 1 / 2, 1 / 3, 1 / 4]
    names = [path.name for path in (store.folder(trial.id) / "checkpoints").iterdir()]
    assert sorted(names) == ["last.pt.4", "last.pt.json"]


def test_early_stopping_acts_on_what_is_reported(program: Program, events: Events, store: Store) -> None:
    trial = program("swallows", goes_on=False, stopping=PATIENCE, select={"metric": "valid/value", "mode": "max"})
    result = result_of(events(trial))
    assert (result.best_epoch, result.epochs_trained) == (1, 3)
    assert result.last == {"valid/value": 1.0, "test/value": 2.0}
    assert "stopped by early-stopping" in (store.folder(trial.id) / "output.log").read_text()


def test_a_program_that_goes_on_reporting_is_ended(program: Program, events: Events) -> None:
    failed = failure_of(events(program("swallows", stopping=PATIENCE)))
    assert (failed.code, failed.epoch) == ("program-went-on", 3)


@pytest.mark.parametrize("name", ["counts", "swallows"])
def test_a_point_that_is_given_up_is_stopped_at_its_report(
    program: Program, events: Events, store: Store, name: str
) -> None:
    trial = program(name)
    point = Point(
        study="base", number=0, trials=(trial.id,), metric="valid/value", epochs=trial.epochs, is_prunable=True
    )
    reporter = Reporter(point, lambda point, step, value: step < 2)
    *_, end = events(trial, reporter.decide)
    assert end == TrialPruned(trial=trial.id, epoch=2, epochs_planned=None)
    assert len(store.history(trial.id)) == 2
    assert list(events(trial, reporter.decide)) == [end]


def test_a_metric_that_decides_is_missed_at_the_first_report(program: Program, events: Events) -> None:
    select = {"metric": "valid/accuracy", "mode": "max"}
    failed = failure_of(events(program("forgets_a_metric", select=select)))
    assert failed.code == "metric-not-recorded"
    assert failed.message == (
        "evaluation.select watches valid/accuracy, which the program did not report; it reported valid/accurracy; did "
        "you mean valid/accurracy?"
    )


def test_what_a_search_is_decided_by_is_missed_too(program: Program, events: Events) -> None:
    trial = program("forgets_a_metric")
    point = Point(study="base", number=0, trials=(trial.id,), metric="valid/auroc", epochs=None, is_prunable=True)
    failed = failure_of(events(trial, Reporter(point, lambda point, step, value: True).decide))
    assert failed.code == "metric-not-recorded"
    assert "search.optimize watches valid/auroc" in failed.message


def test_a_value_that_is_not_finite_is_no_improvement(program: Program, events: Events, store: Store) -> None:
    trial = program("is_not_finite", select=BEST)
    result = result_of(events(trial))
    assert result.best_epoch == 4
    assert result.not_finite == {"train/loss": 2}
    assert [record.metrics.get("train/loss") for record in store.history(trial.id)] == [0.5, None, None, 0.4]


def test_what_is_measured_once_is_a_record_where_there_is_no_other(
    program: Program, events: Events, store: Store
) -> None:
    trial = program("only_finishes", select={"metric": "test/accuracy", "mode": "max"})
    result = result_of(events(trial))
    assert result.best == result.last == {"test/accuracy": 0.75}
    assert len(store.history(trial.id)) == 1


def test_an_interrupted_program_is_stopped_at_its_next_report(program: Program, events: Events, store: Store) -> None:
    trial = program("takes_long", epochs=8)
    with closing(cast(Any, events(trial))) as under_way:
        for event in under_way:
            if isinstance(event, EpochEnded) and event.record.epoch == 2:
                break
    assert len(store.history(trial.id)) == 2
    first, *_, end = events(trial)
    assert first == TrialStarted(trial=trial.id, epoch=2)
    assert isinstance(end, TrialFinished)
    assert [record.epoch for record in store.history(trial.id)] == list(range(1, 9))


def test_what_an_interrupted_program_comes_to_in_a_moment_is_kept(
    program: Program, events: Events, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from craftc.runtime.programs import run_program

    trial = program("takes_long", seconds=0.5, epochs=4)
    under_way = cast(Any, events(trial))
    assert isinstance(next(under_way), TrialStarted)
    receive = run_program.ProgramProcess.receive
    waits = iter([False, False, True])

    def interrupted(process: Any, timeout_s: float | None = None) -> Any:
        if timeout_s is None and next(waits):
            raise KeyboardInterrupt
        return receive(process, timeout_s)

    monkeypatch.setattr(run_program.ProgramProcess, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(under_way)
    # The first was reported as always; the second came while the program was waited for.
    assert len(store.history(trial.id)) == 2
    assert "Stopped" not in (store.folder(trial.id) / "output.log").read_text()


@pytest.mark.parametrize("ends", ["returns", "killed", "hangs"])
def test_what_a_program_has_started_ends_with_it(program: Program, events: Events, store: Store, ends: str) -> None:
    trial = program("starts_others", ends=ends)
    with closing(cast(Any, events(trial))) as under_way:
        for event in under_way:
            if isinstance(event, EpochEnded) and ends == "hangs":
                break
    children = [int(pid) for pid in (store.folder(trial.id) / "files" / "children").read_text().split()]
    deadline = time.monotonic() + 10
    while any(map(is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, children))


def test_its_surroundings_are_those_of_the_job(program: Program, events: Events, store: Store) -> None:
    trial = program("shows_itself", folder="data", sizes=[3, 4])
    result_of(events(trial))
    said = (store.folder(trial.id) / "output.log").read_text()
    assert f"threads 1 cwd {os.getcwd()} seed 3" in said
    assert "folder PosixPath('data') sizes (3, 4)" in said
    assert "device cpu" in said
    again = program("shows_itself", seed=3).model_copy(update={"id": "b" * 64})
    result_of(events(again))
    hashes = [line for line in said.splitlines() if line.startswith("hash")]
    assert hashes[0] in (store.folder(again.id) / "output.log").read_text()
    drawn = [(store.folder(each.id) / "files" / "random").read_text() for each in (trial, again)]
    assert drawn[0] == drawn[1]


def test_a_finished_one_is_reused(program: Program, events: Events) -> None:
    trial = program("counts")
    result_of(events(trial))
    (end,) = events(trial)
    assert isinstance(end, TrialFinished)
    assert end.reused
