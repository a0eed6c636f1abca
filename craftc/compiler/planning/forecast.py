"""A plan and earlier trials in; how long the plan will take, and what that is taken from, out."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from craftc.compiler.planning.identity.fingerprint import canonical_json
from craftc.compiler.planning.passes.place import num_slots
from craftc.compiler.planning.passes_over_train import most_passes, passes_of_a_record, passes_taken
from craftc.compiler.planning.similarity import (
    PROGRAM_SIMILARITIES,
    SIMILARITIES,
    device_kind,
    program_keys,
    similarity_keys,
    size_key,
)
from craftc.schemas.forecast import Basis, Forecast, Machine, PastTrial, Similarity, Span
from craftc.schemas.language import PROGRAM
from craftc.schemas.plan import JobResources, Plan, Trial

MOST_LIKE = 50
"""Of one likeness, how many of the newest trials are looked at."""


@dataclass(frozen=True)
class _Seconds:
    """Of training, for one trial or many."""

    low: float
    likely: float
    high: float

    def __add__(self, other: "_Seconds") -> "_Seconds":
        return _Seconds(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, factor: float) -> "_Seconds":
        return _Seconds(self.low * factor, self.likely * factor, self.high * factor)


NOTHING = _Seconds(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class _Measured:
    """Seconds per pass over train, and the part of the planned records that was trained; of which trials of which
    likeness."""

    likeness: Similarity
    past: frozenset[str]
    per_epoch: _Seconds
    part: _Seconds


def forecast(plan: Plan, past: Sequence[PastTrial], done: Mapping[str, int], machine: Machine) -> Forecast:
    """Estimate the new trials. `past` is newest first; `done` are records that an interrupted trial has behind it.

    A trial takes what the median of the nearest earlier trials took per pass and sample, and stops as early as their
    median did where both stop by the same rule. `low` and `high` take all at their first and last decile at once.
    """
    resources = _resources(plan)
    evidence = _Evidence(past, "cuda" if resources.gpu > 0 and machine.gpus > 0 else "cpu")
    trials = {trial.id: trial for trial in plan.trials if trial.status == "new"}
    seconds = {trial_id: evidence.seconds(trial, done.get(trial_id, 0)) for trial_id, trial in trials.items()}
    jobs = [[seconds[trial_id] for trial_id in job.trials] for job in plan.jobs]
    jobs += [list(point) for point in _points(plan, evidence)]
    known = [each for job in jobs for each in job if each is not None]
    num_unknown = sum(len(job) for job in jobs) - len(known)
    concurrent = num_slots(resources, machine, plan.max_concurrent) or 0
    bases = evidence.bases
    has_spread = any(basis.num_past > 1 for basis in bases)
    total = sum(known, NOTHING) * resources.workers
    lengths = [sum((each for each in job if each is not None), NOTHING) for job in jobs]
    return Forecast(
        trial_hours=_span(total, has_spread) if bases else None,
        hours_left=_span(_elapsed(lengths, concurrent), has_spread) if bases and concurrent else None,
        concurrent=concurrent,
        based_on=bases,
        num_unknown=num_unknown,
        budget_hours=plan.budget_hours,
    )


class _Evidence:
    """What the earlier trials tell, looked up once for all trials that are alike."""

    def __init__(self, past: Sequence[PastTrial], device: str) -> None:
        self._device = device
        self._like: dict[tuple[Similarity, str], list[PastTrial]] = {}
        self._sizes: dict[str, int] = {}
        self._known: dict[str, _Measured | None] = {}
        self._used: dict[Similarity, set[str]] = {}
        self._num_used: Counter[Similarity] = Counter()
        for each in past:
            self._take(each)

    def _take(self, past: PastTrial) -> None:
        if PROGRAM in past.config:
            texts = program_keys(past.config, device_kind(past.result.device))
            for likeness, text in zip(PROGRAM_SIMILARITIES, texts, strict=True):
                self._like.setdefault((likeness, text), []).append(past)
            return
        num_samples = past.result.split_sizes.get("train", 0)
        if not num_samples or not past.result.seconds:
            return
        try:
            texts = similarity_keys(past.config, device_kind(past.result.device))
            self._sizes.setdefault(size_key(past.config), num_samples)
        except (AttributeError, KeyError, TypeError):
            return  # written by another version
        for likeness, text in zip(SIMILARITIES, texts, strict=True):
            self._like.setdefault((likeness, text), []).append(past)

    @property
    def bases(self) -> tuple[Basis, ...]:
        """What was used so far, the nearest likeness first."""
        return tuple(
            Basis(likeness=each, num_past=len(self._used[each]), num_trials=self._num_used[each])
            for each in (*SIMILARITIES, *PROGRAM_SIMILARITIES)
            if each in self._used
        )

    def seconds(self, trial: Trial, num_done: int) -> _Seconds | None:
        """What is left of a trial; None where nothing is known of its like, or of its length. One that is read off
        another's training costs nothing that counts."""
        if not trial.is_trained:
            return NOTHING
        if trial.is_program:
            return self._seconds_of_program(trial, num_done)
        num_samples = self._sizes.get(size_key(trial.config)) if self._like else None
        most = None if num_samples is None else most_passes(trial.config, num_samples)
        if num_samples is None or most is None:
            return None
        stops = trial.config["training"]["early_stopping"]
        # The nearest likeness holds all that the others and the size are taken from.
        key = canonical_json([similarity_keys(trial.config, self._device)[0], stops])
        if key not in self._known:
            self._known[key] = self._measure(trial)
        measured = self._known[key]
        if measured is None:
            return None
        self._used.setdefault(measured.likeness, set()).update(measured.past)
        self._num_used[measured.likeness] += 1
        passes, done = measured.part * most, num_done * passes_of_a_record(trial.config, num_samples)
        low, likely, high = (max(0.0, each - done) for each in (passes.low, passes.likely, passes.high))
        pace = measured.per_epoch
        return _Seconds(low * pace.low, likely * pace.likely, high * pace.high)

    def _seconds_of_program(self, trial: Trial, num_done: int) -> _Seconds | None:
        """As long as the nearest earlier trials took, for the part of their records that is still to come."""
        for likeness, text in zip(PROGRAM_SIMILARITIES, program_keys(trial.config, self._device), strict=True):
            found = [each.result for each in self._like.get((likeness, text), [])[:MOST_LIKE]]
            if found:
                self._used.setdefault(likeness, set()).update(result.trial for result in found)
                self._num_used[likeness] += 1
                return _spread([r.seconds * max(0.0, 1 - num_done / max(1, r.epochs_trained)) for r in found])
        return None

    def _measure(self, trial: Trial) -> _Measured | None:
        num_samples = self._sizes.get(size_key(trial.config))
        if num_samples is None:
            return None
        for likeness, text in zip(SIMILARITIES, similarity_keys(trial.config, self._device), strict=True):
            found = self._like.get((likeness, text), [])[:MOST_LIKE]
            if found:
                ids = frozenset(each.result.trial for each in found)
                return _Measured(likeness, ids, _spread(_paces(found)) * num_samples, _part(trial, found))
        return None


def _paces(past: Sequence[PastTrial]) -> list[float]:
    """Seconds per pass and sample."""
    found = []
    for each in past:
        num_samples = each.result.split_sizes["train"]
        passes = passes_taken(each.config, each.result, num_samples)
        found.append(each.result.seconds / passes / num_samples)
    return found


def _part(trial: Trial, past: Sequence[PastTrial]) -> _Seconds:
    """Which part of its epochs a trial trains, by those that stop by its rule; at the most all."""
    rule = trial.config["training"]["early_stopping"]
    same = [each.result for each in past if each.config["training"].get("early_stopping") == rule]
    parts = [result.epochs_trained / result.epochs_planned for result in same if result.epochs_planned is not None]
    if rule in (None, "none") or not parts:
        return _Seconds(1.0, 1.0, 1.0)
    spread = _spread(parts)
    return _Seconds(spread.low, spread.likely, 1.0)


def _spread(values: Sequence[float]) -> _Seconds:
    """The first decile, the median and the last decile; of fewer than ten values the least and the greatest."""
    if len(values) < 10:
        return _Seconds(min(values), median(values), max(values))
    deciles = quantiles(values, n=10, method="inclusive")
    return _Seconds(deciles[0], median(values), deciles[-1])


def _resources(plan: Plan) -> JobResources:
    """All jobs of a plan ask for the same."""
    if plan.jobs:
        return plan.jobs[0].resources
    return plan.search.resources if plan.search else JobResources()


def _points(plan: Plan, evidence: _Evidence) -> Iterator[list[_Seconds | None]]:
    """A job for each point that is proposed, each taken to be as its study's starting point: the most they can cost."""
    if plan.search is None:
        return
    for variant in plan.search.variants:
        starts = [trial for trial in plan.trials if variant in (trial.variant, *trial.aliases)]
        for _ in range(plan.search.trials):
            yield [evidence.seconds(trial, 0) for trial in starts]


def _elapsed(jobs: Sequence[_Seconds], concurrent: int) -> _Seconds:
    """Until the last job has ended, each begun in order as soon as another makes room."""
    return _Seconds(
        _makespan([job.low for job in jobs], concurrent),
        _makespan([job.likely for job in jobs], concurrent),
        _makespan([job.high for job in jobs], concurrent),
    )


def _makespan(lengths: Sequence[float], concurrent: int) -> float:
    ends = [0.0] * min(concurrent, max(1, len(lengths)))
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def _span(seconds: _Seconds, has_spread: bool) -> Span:
    likely = seconds.likely / 3600
    if not has_spread:
        return Span(likely=likely)
    return Span(likely=likely, low=min(seconds.low / 3600, likely), high=max(seconds.high / 3600, likely))
