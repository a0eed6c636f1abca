"""A plan and what the store knows of batches in; for each group whether its trainings will be one, and why not, out."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from craftc.compiler.passes.pack import FindingOf
from craftc.schemas.plan import Plan, Trial

UNKNOWN = "batched if a measurement shows it faster"


@dataclass(frozen=True)
class Group:
    """Trainings of one group that share jobs with others of it.

    `size` is how many are trained at a time as one batch, 1 for one after another, None before that was tried; `gain`
    how many times the steps a second that is. `because` says why they cannot be a batch.
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
            return f"one after another: {self.because or 'a batch was measured to be no faster'}"
        return f"{self.size} at a time as one batch, measured {self.gain:.1f} times as fast as one after another"


def groups_of(plan: Plan, finding_of: FindingOf) -> tuple[Group, ...]:
    """In the order of the plan. Trainings that are a job each have nobody to be a batch with."""
    trainings: dict[int, list[Trial]] = {}
    sizes: Counter[tuple[int | None, int | None]] = Counter(
        (trial.group, trial.job) for trial in plan.trials if trial.job is not None and trial.shares is None
    )
    for trial in plan.trials:
        if trial.group is not None and trial.shares is None and sizes[trial.group, trial.job] > 1:
            trainings.setdefault(trial.group, []).append(trial)
    found: list[Group] = []
    for number, members in trainings.items():
        first = members[0]
        assert first.job is not None
        finding = finding_of(first, plan.jobs[first.job].resources)
        if finding is None:
            found.append(Group(number, len(members)))
            continue
        size = finding.best_size(sizes[number, first.job])
        gain = round(finding.gain(size), 2) if size > 1 else None
        found.append(Group(number, len(members), size, gain, finding.because))
    return tuple(found)


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
