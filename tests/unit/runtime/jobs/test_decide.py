"""What a point's trials report to their study, and which stops are taken."""

import pytest

from craftc.runtime.jobs.decide import Reporter
from craftc.runtime.jobs.job_source import Point
from craftc.schemas.result import EpochRecord

FIRST, SECOND = "a" * 64, "b" * 64


def point(epochs: int | None) -> Point:
    return Point(study="base", number=0, trials=(FIRST, SECOND), metric="valid/knn", epochs=epochs, is_prunable=True)


def record(trial: str, epoch: int) -> EpochRecord:
    return EpochRecord(trial=trial, epoch=epoch, step=epoch, metrics={"valid/knn": epoch / 10}, seconds=1.0)


def steps(epochs: int | None, lengths: tuple[int, int]) -> list[int]:
    reported = []

    def report(of: Point, step: int, value: float) -> bool:
        reported.append(step)
        return True

    reporter = Reporter(point(epochs), report)
    for trial, length in zip((FIRST, SECOND), lengths, strict=True):
        for epoch in range(1, length + 1):
            assert reporter.decide(record(trial, epoch))
    return reported


def test_a_trial_begins_where_all_epochs_of_the_one_before_would_have_ended() -> None:
    assert steps(5, (3, 2)) == [1, 2, 3, 6, 7]


def test_of_an_unknown_number_of_epochs_it_begins_behind_the_records_of_the_one_before() -> None:
    assert steps(None, (3, 2)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("epochs", "goes_on"), [(2, True), (None, False)])
def test_a_stop_at_the_last_epoch_is_not_taken_where_it_is_known_to_be_the_last(
    epochs: int | None, goes_on: bool
) -> None:
    reporter = Reporter(point(epochs), lambda of, step, value: step < 4)
    for epoch in (1, 2):
        assert reporter.decide(record(FIRST, epoch))
    assert reporter.decide(record(SECOND, 1))
    assert reporter.decide(record(SECOND, 2)) is goes_on
