"""A budget of training: what is counted, when it stops, and what is left."""

import pytest

from craftc.runtime.jobs.budget import BudgetSource, within_budget
from craftc.runtime.jobs.job_source import Left, PlanSource, Work
from craftc.schemas.plan import Headline, Job, JobResources, Plan, Trial
from craftc.schemas.result import BudgetSpent, EpochEnded, EpochRecord, TrialFailed, TrialStarted

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def trials(number: int) -> tuple[Trial, ...]:
    config = {"training": {"epochs": 10}}
    return tuple(Trial(id=f"{i:064x}", variant=f"v{i}", seed=0, config=config, job=i) for i in range(number))


def plan(*made: Trial, workers: int = 1, together: bool = False) -> Plan:
    jobs = [tuple(trial.id for trial in made)] if together else [(trial.id,) for trial in made]
    return Plan(
        name="x",
        baseline="v0",
        headline=Headline(split="test", metric="accuracy", mode="max"),
        trials=made,
        jobs=tuple(Job(trials=job, resources=JobResources(workers=workers)) for job in jobs),
        budget_hours=1.0,
    )


def source(made: Plan, clock: Clock) -> BudgetSource:
    return BudgetSource(PlanSource(made), 1.0, clock)


def epoch(trial: Trial, number: int, seconds: float) -> EpochEnded:
    return EpochEnded(record=EpochRecord(trial=trial.id, epoch=number, step=1, metrics={}, seconds=seconds))


def failed(trial: Trial) -> TrialFailed:
    return TrialFailed(trial=trial.id, code="nan-loss", message="the loss is not a number")


def begin(budget: BudgetSource) -> Trial:
    work = budget.next()
    assert isinstance(work, Work)
    budget.told(TrialStarted(trial=work.trials[0].id))
    return work.trials[0]


def test_without_a_budget_the_source_stays_as_it_is() -> None:
    made = plan(*trials(1)).model_copy(update={"budget_hours": None})
    given = PlanSource(made)
    assert within_budget(given, made) is given


def test_measured_epochs_count_and_nothing_more_begins() -> None:
    clock = Clock()
    budget = source(plan(*trials(3)), clock)
    first = begin(budget)
    budget.told(epoch(first, 1, 0.6 * HOUR))
    assert isinstance(budget.next(), Work)
    budget.told(epoch(first, 2, 0.4 * HOUR))
    assert budget.next() is None
    budget.told(failed(first))
    assert budget.next() is None
    [spent] = budget.ending()
    assert spent == BudgetSpent(budget_hours=1.0, spent_hours=1.0, trials=(f"{2:064x}",))


def test_time_that_passed_since_the_last_epoch_counts_too() -> None:
    clock = Clock()
    budget = source(plan(*trials(4)), clock)
    first = begin(budget)
    budget.told(epoch(first, 1, 0.5 * HOUR))
    begin(budget)
    clock.now += 0.2 * HOUR
    assert budget.spent_hours() == pytest.approx(0.9)
    clock.now += 0.1 * HOUR
    assert budget.next() is None


def test_what_is_over_is_no_longer_under_way() -> None:
    clock = Clock()
    budget = source(plan(*trials(3)), clock)
    budget.told(failed(begin(budget)))
    work = budget.next()
    assert isinstance(work, Work)
    budget.told(TrialStarted(trial=work.trials[0].id))
    budget.ended(work)
    clock.now += 5 * HOUR
    assert budget.spent_hours() == 0
    assert isinstance(budget.next(), Work)


def test_every_worker_counts() -> None:
    budget = source(plan(*trials(2), workers=4), Clock())
    budget.told(epoch(begin(budget), 1, 0.25 * HOUR))
    assert budget.next() is None


def test_an_epoch_that_trials_share_counts_once() -> None:
    leader, other = trials(2)
    clock = Clock()
    budget = source(plan(leader, other.model_copy(update={"shares": leader.id}), together=True), clock)
    budget.next()
    for trial in (leader, other):
        budget.told(TrialStarted(trial=trial.id))
    clock.now += 0.1 * HOUR
    assert budget.spent_hours() == pytest.approx(0.1)
    for trial in (leader, other):
        budget.told(epoch(trial, 1, 0.1 * HOUR))
    assert budget.spent_hours() == pytest.approx(0.1)


def test_all_begun_in_time_is_nothing_to_tell() -> None:
    budget = source(plan(*trials(1)), Clock())
    budget.told(epoch(begin(budget), 1, 2 * HOUR))
    assert budget.next() is None
    assert budget.left() == Left()
    assert budget.ending() == ()
