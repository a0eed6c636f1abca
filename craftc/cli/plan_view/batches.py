"""For each group of a plan, whether its trainings will be one batch, and why not."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from craftc.compiler.planning.passes.pack import MOST_BATCH, FindingOf
from craftc.schemas.plan import Plan, Trial

UNKNOWN = "batched if a measurement shows it faster"


@dataclass(frozen=True)
class Group:
    """Trainings of one group.

    `size` is how many are trained at a time as one batch, 1 where each is trained alone, None before that was tried;
    `gain` how many times the steps a second that is. `because` says why they cannot be a batch.
    """

    number: int
    num_trainings: int
    size: int | None = None
    gain: float | None = None
    because: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For `craftc plan --format json`."""
        return {"group": self.number, "trainings": self.num_trainings, "size": self.size} | {
            "gain": self.gain,
            "because": self.because,
        }

    @property
    def fate(self) -> str:
        """In words."""
        if self.size is None:
            return UNKNOWN
        if self.size == 1:
            return f"each alone: {self.because or 'a batch was measured to be no faster'}"
        return f"{self.size} at a time as one batch, measured {self.gain:.1f} times as fast as each alone"


def groups_of(plan: Plan, finding_of: FindingOf) -> tuple[Group, ...]:
    """In the order of the plan. Of trainings that nothing keeps from being a batch, those that have a job together."""
    groups: dict[int, list[Trial]] = {}
    for trial in plan.trials:
        if trial.group is not None and trial.job is not None and trial.shares is None:
            groups.setdefault(trial.group, []).append(trial)
    found = (_group(number, trainings, plan, finding_of) for number, trainings in groups.items())
    return tuple(group for group in found if group is not None)


def _group(number: int, trainings: list[Trial], plan: Plan, finding_of: FindingOf) -> Group | None:
    jobs = Counter(training.job for training in trainings)
    together = [training for training in trainings if jobs[training.job] > 1]
    first = (together or trainings)[0]
    assert first.job is not None
    resources = plan.jobs[first.job].resources
    finding = finding_of(first, resources)
    if finding is not None and finding.leaves_open(min(jobs[first.job], MOST_BATCH["gpu" if resources.gpu else "cpu"])):
        # Of fewer than are together now: it is found out again.
        finding = None
    if finding is not None and finding.best_size(len(trainings)) == 1:
        return Group(number, len(trainings), 1, because=finding.because)
    if not together:
        return None
    if finding is None:
        return Group(number, len(together))
    size = finding.best_size(jobs[first.job])
    return Group(number, len(together), size, round(finding.gain(size), 2) if size > 1 else None)


def group_lines(groups: tuple[Group, ...]) -> list[str]:
    """A line for all groups of one fate."""
    fates: dict[str, list[Group]] = {}
    for group in groups:
        fates.setdefault(group.fate, []).append(group)
    return [_line(fate, each) for fate, each in fates.items()]


def _line(fate: str, groups: list[Group]) -> str:
    num_trainings = sum(group.num_trainings for group in groups)
    of = "alike" if len(groups) == 1 else f"in {len(groups)} groups of alike ones"
    return f"{num_trainings:,} trainings {of}: {fate}"
