"""How long a plan will take, by earlier trials: the nearest alone count, and what is not known is said."""

from typing import Any

import pytest

from craftc.compiler.planning.forecast import forecast
from craftc.schemas.forecast import Machine, PastTrial, Span
from craftc.schemas.plan import Headline, Job, JobResources, Plan, SearchPlan, Trial
from craftc.schemas.result import Result

TWO_CPUS = Machine(cpus=2)


def config(**changes: Any) -> dict[str, Any]:
    """By dotted path with `__`: `model__hidden=[32]`."""
    made: dict[str, Any] = {
        "data": {"source": {"kind": "digits"}, "splits": {"train": 0.6}, "normalize": {"kind": "none"}, "augment": []},
        "model": {"kind": "mlp", "hidden": [16], "dropout": 0.0},
        "objective": {"kind": "cross_entropy", "metrics": [{"kind": "accuracy"}]},
        "regularization": {"clip_grad_norm": None, "ema_decay": None},
        "training": {
            "epochs": 10, "batch_size": 32, "optimizer": {"kind": "adamw", "lr": 1e-3}, "schedule": [],
            "early_stopping": "none",
        },
        "evaluation": {},
    }  # fmt: skip
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = made
        for parent in parents:
            place = place[parent]
        place[last] = value
    return made


def past(
    number: int, seconds: float, *, trained: int = 10, size: int = 1000, device: str = "cpu", **changes: Any
) -> PastTrial:
    result = Result(
        trial=f"{number:064x}", best_epoch=1, epochs_trained=trained, epochs_planned=10, steps=1, best={}, last={},
        trivial={}, identities={}, num_parameters=1, split_sizes={"train": size}, seconds=seconds, device=device,
        craftc_version="0",
    )  # fmt: skip
    return PastTrial(config=config(**changes), result=result)


def plan(*configs: dict[str, Any], resources: JobResources | None = None, **changes: Any) -> Plan:
    trials = tuple(
        Trial(id=f"{1000 + i:064x}", variant=f"v{i}", seed=0, config=each, job=i) for i, each in enumerate(configs)
    )
    jobs = tuple(Job(trials=(trial.id,), resources=resources or JobResources()) for trial in trials)
    head = Headline(split="test", metric="accuracy", mode="max")
    made = Plan(name="x", baseline="v0", headline=head, trials=trials, jobs=jobs)
    return made.model_copy(update=changes)


def span(likely: float, low: float | None = None, high: float | None = None) -> Any:
    """What a Span in hours equals, from seconds."""
    return _Close(*(each if each is None else each / 3600 for each in (likely, low, high)))


class _Close:
    def __init__(self, *given: float | None) -> None:
        self._hours = [each if each is None else pytest.approx(each) for each in given]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and [other.likely, other.low, other.high] == self._hours

    def __repr__(self) -> str:
        return f"span{self._hours}"


def test_the_median_of_trials_that_are_alike_with_their_spread() -> None:
    found = forecast(plan(config(), config(), config()), [past(1, 10), past(2, 12), past(3, 20)], {}, TWO_CPUS)
    assert found.trial_hours == span(36, low=30, high=60)
    # Three jobs, two at a time.
    assert found.hours_left == span(24, low=20, high=40)
    assert [(basis.likeness, basis.num_past, basis.num_trials) for basis in found.based_on] == [("alike", 3, 3)]
    assert (found.concurrent, found.num_unknown) == (2, 0)


def test_one_trial_shows_no_spread() -> None:
    found = forecast(plan(config()), [past(1, 10)], {}, TWO_CPUS)
    assert found.trial_hours == span(10)


@pytest.mark.parametrize(
    "free",
    [
        {"training__optimizer": {"kind": "adamw", "lr": 1.0}},
        {"model__dropout": 0.5},
        {"training__schedule": [{"kind": "cosine"}]},
        {"evaluation": {"select": "none"}},
    ],
)
def test_what_does_not_change_the_time_of_a_step_is_alike(free: dict[str, Any]) -> None:
    found = forecast(plan(config()), [past(1, 10, **free)], {}, TWO_CPUS)
    assert found.based_on[0].likeness == "alike"


def test_the_number_of_epochs_counts() -> None:
    found = forecast(plan(config(training__epochs=50)), [past(1, 10)], {}, TWO_CPUS)
    assert found.trial_hours == span(50)


@pytest.mark.parametrize(
    ("changes", "likeness"),
    [
        ({"data__normalize": {"kind": "per_line"}}, "same-model"),
        ({"training__batch_size": 64}, "other-batch-size"),
        ({"model__hidden": [512]}, "same-kind"),
    ],
)
def test_the_nearest_likeness_is_taken_and_told(changes: dict[str, Any], likeness: str) -> None:
    """Each farther one is there as well, with times that would show."""
    others = [
        past(1, 10, data__normalize={"kind": "per_line"}),
        past(2, 300, training__batch_size=64),
        past(3, 7000, model__hidden=[512]),
    ]
    kept = {"same-model": others, "other-batch-size": others[1:], "same-kind": others[2:]}[likeness]
    found = forecast(plan(config()), kept, {}, TWO_CPUS)
    assert [basis.likeness for basis in found.based_on] == [likeness]
    assert found.trial_hours == span(kept[0].result.seconds)


def test_other_data_counts_by_its_number_of_samples() -> None:
    """The size of the plan's data is known from a trial of another kind of model."""
    other = past(2, 1, size=3000, data__source={"kind": "mnist_5k"}, model__kind="linear")
    found = forecast(plan(config(data__source={"kind": "mnist_5k"})), [past(1, 10), other], {}, TWO_CPUS)
    assert found.trial_hours == span(30)


@pytest.mark.parametrize(
    "unlike", [{"model__kind": "linear"}, {"device": "cuda:0"}, {"data__source": {"kind": "mnist_5k"}}]
)
def test_what_is_not_known_is_said(unlike: dict[str, Any]) -> None:
    found = forecast(plan(config()), [past(1, 10, **unlike)], {}, TWO_CPUS)
    assert (found.trial_hours, found.hours_left, found.num_unknown) == (None, None, 1)


def test_some_known_and_some_not() -> None:
    found = forecast(plan(config(), config(model__kind="linear")), [past(1, 10)], {}, TWO_CPUS)
    assert found.trial_hours == span(10)
    assert found.num_unknown == 1


def test_a_gpu_that_is_asked_for_and_there_is_what_was_measured() -> None:
    measured = [past(1, 100), past(2, 5, device="cuda")]
    asked = plan(config(), resources=JobResources(gpu=0.5))
    assert forecast(asked, measured, {}, Machine(cpus=2, gpus=1)).trial_hours == span(5)
    none_here = forecast(asked, measured, {}, TWO_CPUS)
    assert (none_here.trial_hours, none_here.concurrent, none_here.hours_left) == (span(100), 0, None)


def test_early_stopping_ends_trials_as_it_ended_others() -> None:
    rule = {"metric": "valid/loss", "patience": 3}
    stopped = [past(i, 5, trained=5, training__early_stopping=rule) for i in range(3)]
    found = forecast(plan(config(training__early_stopping=rule)), stopped, {}, TWO_CPUS)
    assert found.trial_hours == span(5, low=5, high=10)


def test_what_is_behind_an_interrupted_trial_is_not_left() -> None:
    made = plan(config())
    found = forecast(made, [past(1, 10)], {made.trials[0].id: 8}, TWO_CPUS)
    assert found.trial_hours == span(2)


def test_a_trial_read_off_another_costs_nothing() -> None:
    made = plan(config(), config(training__epochs=5))
    leader, follower = made.trials
    shared = (leader, follower.model_copy(update={"shares": leader.id, "job": 0}))
    made = made.model_copy(update={"trials": shared, "jobs": (Job(trials=(leader.id, follower.id)),)})
    assert forecast(made, [past(1, 10)], {}, TWO_CPUS).trial_hours == span(10)


def test_a_trial_read_off_one_of_which_nothing_is_known_tells_nothing() -> None:
    made = plan(config(), config())
    read_off = made.trials[1].model_copy(update={"shares": made.trials[0].id})
    found = forecast(made.model_copy(update={"trials": (made.trials[0], read_off)}), [], {}, TWO_CPUS)
    assert (found.trial_hours, found.hours_left, found.num_unknown) == (None, None, 1)


def test_workers_and_what_fits_beside_each_other() -> None:
    made = plan(*[config()] * 4, resources=JobResources(workers=2, cpu=2))
    found = forecast(made, [past(1, 10)], {}, Machine(cpus=9))
    assert (found.trial_hours, found.concurrent) == (span(80), 2)
    assert found.hours_left == span(20)
    alone = forecast(made.model_copy(update={"max_concurrent": 1}), [past(1, 10)], {}, Machine(cpus=9))
    assert alone.hours_left == span(40)


def test_the_points_of_a_search_count_as_their_start() -> None:
    search = SearchPlan(
        metric="valid/loss", mode="min", space={}, sampler={}, pruner={}, trials=7, seed=0, variants=("v0",)
    )
    found = forecast(plan(config(), search=search), [past(1, 10)], {}, TWO_CPUS)
    assert found.trial_hours == span(80)
    assert found.hours_left == span(40)


def test_more_than_the_budget() -> None:
    made = plan(config(), budget_hours=9 / 3600)
    assert forecast(made, [past(1, 10)], {}, TWO_CPUS).exceeds_budget
    assert not forecast(made, [past(1, 8)], {}, TWO_CPUS).exceeds_budget
    assert not forecast(made, [], {}, TWO_CPUS).exceeds_budget


def test_the_config_of_another_version_is_passed_over() -> None:
    odd = past(1, 10).model_copy(update={"config": {"model": "mlp"}})
    assert forecast(plan(config()), [odd, past(2, 20)], {}, TWO_CPUS).trial_hours == span(20)


def of_program(lr: float = 0.1, kind: str = "lab:train", stop: Any = "none") -> dict[str, Any]:
    program, training = {"kind": kind, "lr": lr}, {"early_stopping": stop}
    return {"program": program, "training": training, "evaluation": {"select": "none"}}


def past_program(number: int, seconds: float, config: dict[str, Any], *, records: int = 10) -> PastTrial:
    known = past(number, seconds)
    result = known.result.model_copy(update={"epochs_trained": records, "epochs_planned": None, "split_sizes": {}})
    return PastTrial(config=config, result=result)


def test_a_program_takes_as_long_as_it_took_before() -> None:
    known = [past_program(1, 10, of_program()), past_program(2, 30, of_program()), past_program(3, 99, of_program(0.2))]
    found = forecast(plan(of_program(), of_program(0.3)), known, {}, TWO_CPUS)
    # The first is of two trials with its arguments; the second of all three, with others.
    assert [(basis.likeness, basis.num_past, basis.num_trials) for basis in found.based_on] == [
        ("same-arguments", 2, 1),
        ("same-program", 3, 1),
    ]
    assert found.trial_hours == span(20 + 30, low=10 + 10, high=30 + 99)


def test_another_program_or_device_says_nothing_of_a_program() -> None:
    known = [past_program(1, 10, of_program(kind="lab:other")), past(2, 10)]
    assert forecast(plan(of_program()), known, {}, TWO_CPUS).num_unknown == 1
    assert forecast(plan(config()), [past_program(1, 10, of_program())], {}, TWO_CPUS).num_unknown == 1


def test_a_program_that_was_interrupted_has_less_before_it() -> None:
    made = plan(of_program())
    found = forecast(made, [past_program(1, 40, of_program(), records=8)], {made.trials[0].id: 6}, TWO_CPUS)
    assert found.trial_hours == span(10)


def in_steps(max_steps: int) -> dict[str, Any]:
    """A trial of that many steps, of which 32 are a pass over 1000 samples, with a record every 16."""
    made = config(evaluation={"every": {"steps": 16}})
    del made["training"]["epochs"]
    made["training"]["max_steps"] = max_steps
    return made


def test_trials_by_steps_and_by_epochs_are_estimated_from_each_other() -> None:
    of_64 = plan(in_steps(64))
    assert forecast(of_64, [past(1, 10)], {}, TWO_CPUS).trial_hours == span(2)
    assert forecast(of_64, [past(1, 10)], {of_64.trials[0].id: 1}, TWO_CPUS).trial_hours == span(1.5)
    before = past(1, 4, trained=4)
    before = PastTrial(config=in_steps(64), result=before.result.model_copy(update={"steps": 64}))
    assert forecast(plan(config()), [before], {}, TWO_CPUS).trial_hours == span(20)
    of_tokens = in_steps(64)
    of_tokens["training"]["max_tokens"] = of_tokens["training"].pop("max_steps")
    assert forecast(plan(of_tokens), [past(1, 10)], {}, TWO_CPUS).trial_hours is None
