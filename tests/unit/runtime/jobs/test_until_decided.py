"""The next seeds go to variants that the last look left undecided, and a look waits for every trial before it."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from craftc.runtime.jobs.job_source import WAIT, Left, PlanSource, Work
from craftc.runtime.jobs.until_decided import UntilDecided, plan_source, withheld_of
from craftc.runtime.store.store import Store
from craftc.schemas.analysis_plan import AnalysisPlan
from craftc.schemas.plan import Headline, Job, Plan, Trial
from craftc.schemas.result import Result, TrialFailed, TrialFinished, TrialsWithheld

SEEDS, VARIANTS = range(10, 14), ("full", "-a", "-b")


def name_of(trial: str) -> str:
    return next(f"{v} {s}" for v in VARIANTS for s in SEEDS if digest(v, s) == trial)


def digest(variant: str, seed: int) -> str:
    return hashlib.sha256(f"{variant} {seed}".encode()).hexdigest()


def make_plan(*, shares: Mapping[str, str] = {}, reused: Collection[str] = ()) -> Plan:
    """Looks at 2 and at 4 seeds; a job for each seed, of all variants that are not `reused`."""
    trials = [
        Trial(
            id=digest(variant, seed),
            variant=variant,
            seed=seed,
            config={},
            status="reused" if f"{variant} {seed}" in reused else "new",
            shares=digest(shares[variant], seed) if variant in shares else None,
        )
        for seed in SEEDS
        for variant in VARIANTS
    ]
    by_seed = [[trial.id for trial in trials if trial.seed == seed and trial.status == "new"] for seed in SEEDS]
    return Plan(
        name="example",
        baseline="full",
        headline=Headline(split="test", metric="accuracy", mode="max"),
        trials=tuple(trials),
        jobs=tuple(Job(trials=tuple(each)) for each in by_seed if each),
        analysis_plan=AnalysisPlan(looks=(2, 4)),
    )


def result(trial: str) -> Result:
    return Result(
        trial=trial, best_epoch=1, epochs_trained=1, epochs_planned=1, steps=1, best={}, last={}, trivial={},
        identities={}, num_parameters=1, split_sizes={}, seconds=1.0, device="cpu", craftc_version="0",
    )  # fmt: skip


class Look:
    """Says that some variants are decided, and keeps what it was shown."""

    def __init__(self, *decided: str) -> None:
        self.decided = decided
        self.shown: list[set[str]] = []
        self.failed: list[set[str]] = []

    def __call__(
        self, plan: Plan, results: Mapping[str, Result], failures: Mapping[str, TrialFailed]
    ) -> Collection[str]:
        self.shown.append(set(map(name_of, results)))
        self.failed.append(set(map(name_of, failures)))
        return self.decided


def take(source: UntilDecided) -> list[str]:
    work = source.next()
    assert isinstance(work, Work)
    for trial in work.trials:
        source.told(TrialFinished(result=result(trial.id)))
    source.ended(work)
    return [name_of(trial.id) for trial in work.trials]


def test_decided_variants_get_no_more_seeds(tmp_path: Path) -> None:
    look = Look("-a")
    source = UntilDecided(make_plan(), Store(tmp_path), look)

    assert [take(source), take(source)] == [[f"{v} {s}" for v in VARIANTS] for s in (10, 11)]
    assert [take(source), take(source)] == [["full 12", "-b 12"], ["full 13", "-b 13"]]
    assert source.next() is None
    assert look.shown == [{f"{v} {s}" for v in VARIANTS for s in (10, 11)}]
    assert source.ending() == (TrialsWithheld(trials=(digest("-a", 12), digest("-a", 13))),)


def test_a_look_waits_for_every_trial_before_it(tmp_path: Path) -> None:
    look = Look()
    source = UntilDecided(make_plan(), Store(tmp_path), look)
    first, second = source.next(), source.next()
    assert isinstance(first, Work)
    assert isinstance(second, Work)
    source.ended(first)

    assert source.next() == WAIT
    # A job whose process died is begun again in parts; what has an end is not waited for.
    source.told(TrialFinished(result=result(second.trials[0].id)))
    source.told(TrialFailed(trial=second.trials[1].id, code="nan-loss", message="no", epoch=1))
    assert source.next() == WAIT
    source.ended(second.model_copy(update={"trials": second.trials[2:]}))
    assert isinstance(source.next(), Work)
    assert look.failed == [{"-a 11"}]


def test_a_trial_is_trained_for_one_that_is_read_off_its_training(tmp_path: Path) -> None:
    source = UntilDecided(make_plan(shares={"-b": "-a"}), Store(tmp_path), Look("full", "-a"))
    take(source), take(source)

    assert take(source) == ["-a 12", "-b 12"]


def test_what_is_left_is_what_may_still_be_trained(tmp_path: Path) -> None:
    source = UntilDecided(make_plan(), Store(tmp_path), Look(*VARIANTS))
    assert len(source.left().trials) == 12
    take(source), take(source)

    assert source.next() is None
    assert source.left() == Left()


def test_a_run_with_all_results_that_it_needs_trains_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    reused = [f"{v} {s}" for v in VARIANTS for s in (10, 11)]
    for v in VARIANTS:
        for s in (10, 11):
            store.write_result(result(digest(v, s)))
    plan = make_plan(reused=reused)

    withheld = withheld_of(plan, store, Look(*VARIANTS))

    assert withheld is not None
    assert len(withheld.trials) == 6
    assert withheld_of(plan, store, Look("-a", "-b")) is None


def test_without_looks_every_trial_is_handed_out(tmp_path: Path) -> None:
    plan = make_plan().model_copy(update={"analysis_plan": AnalysisPlan()})

    assert isinstance(plan_source(plan, Store(tmp_path), Look()), PlanSource)
    assert isinstance(plan_source(make_plan(), Store(tmp_path), None), PlanSource)
