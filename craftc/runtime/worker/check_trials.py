"""Tries trials in this process and measures what they cost; stores nothing. Of a program, which may take any time to
its first report, the function is imported and its arguments are built."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from craftc.components.own_line import told
from craftc.runtime.programs.call import call_of
from craftc.runtime.programs.ending import ProgramError
from craftc.runtime.worker.failure import failure
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
    for trial in trials:
        yield _check_program(trial) if trial.is_program else _check(trial, device, cpus)


def _check_program(trial: Trial) -> Checked:
    try:
        call_of(trial.config["program"]).arguments()
    except Exception as error:
        # Whatever the user's own code raises is what is to be found out.
        return Checked(trial.id, failure=failure(trial, ProgramError("program-failed", told(error))))
    return Checked(trial.id)


def _check(trial: Trial, device: str, cpus: int) -> Checked:
    import torch

    from craftc.training.loop.attempt import measure

    torch.set_num_threads(cpus)
    try:
        figures, warning = measure(trial, device=device)
    except Exception as error:
        # Whatever the user's own code raises is what is to be found out.
        return Checked(trial.id, failure=failure(trial, error))
    return Checked(trial.id, figures, warning=warning)
