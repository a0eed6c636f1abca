"""Tries trials in this process and measures what they cost; stores nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from craftc.runtime.work.failure import failure
from craftc.schemas.plan import Trial
from craftc.schemas.result import TrialFailed, TrialWarning

if TYPE_CHECKING:
    from craftc.training.loop.attempt import Figures


@dataclass(frozen=True)
class Checked:
    """What a trial was found to cost, or why it cannot be trained."""

    trial: str
    figures: "Figures | None" = None
    failure: TrialFailed | None = None
    warning: TrialWarning | None = None


def check_trials(trials: Sequence[Trial], *, device: str, cpus: int) -> Iterator[Checked]:
    """One after another, on `device` ("cpu", "cuda") with `cpus` torch threads."""
    import torch

    from craftc.training.loop.attempt import measure

    torch.set_num_threads(cpus)
    for trial in trials:
        try:
            figures, warning = measure(trial, device=device)
        except Exception as error:
            # Whatever the user's own code raises is what is to be found out.
            yield Checked(trial.id, failure=failure(trial, error))
        else:
            yield Checked(trial.id, figures, warning=warning)
