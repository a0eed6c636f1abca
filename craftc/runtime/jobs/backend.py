"""What a backend is: a plan and a store in, events out as they come."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import Event
from craftc.secret_text import masked

if TYPE_CHECKING:
    from craftc.runtime.jobs.job_source import SearchContext
    from craftc.runtime.store.store import Store


DISK_FULL = "disk-full"
"""The code of a trial whose files could not be written, since their disk is full. It ends the run."""


class BackendError(Exception):
    """The jobs cannot be run at all. `message` is one sentence for the user; `code` a permanent name of the cause.

    Codes: `unplaceable-job`, `cluster-unreachable`, `cluster-not-started`, `cluster-refused`, `machine-unusable`,
    `package-missing`, `disk-full`, `jobs-ended`, `runs-dir-not-shared`, `workers-without-ray`, `device-lost`,
    `study-unusable`; of submitting: `project-too-large`, `slurm-missing`, `slurm-refused`.
    """

    def __init__(self, code: str, message: str) -> None:
        # It may repeat what another package says, addresses with their passwords included.
        self.message = masked(message)
        super().__init__(self.message)
        self.code = code


class PlacementError(BackendError):
    """A job asks for more than any machine has. `message` says what is asked and what there is."""

    def __init__(self, message: str) -> None:
        super().__init__("unplaceable-job", message)


class Backend(Protocol):
    """Runs the jobs of a plan, somewhere."""

    def run(
        self,
        plan: Plan,
        store: "Store",
        search: "SearchContext | None" = None,
        to_try: Sequence[Trial] = (),
    ) -> Generator[Event, None, None]:
        """Run `plan.jobs` and yield what happens. What an event tells is in the store before it is yielded.

        Each trial of `to_try` is tried before any is trained, and reported as TrialTried; nothing is trained where one
        of them fails.

        A plan with a search needs `search`; what it proposes is told as TrialProposed and run like any other job.
        Every trial of a job ends in one TrialFinished, TrialFailed or TrialPruned. Closing the generator, or an
        exception raised in it, stops all jobs at once and leaves no process behind; unfinished trials go on from their
        last epoch when they are run again. Raises BackendError before the first event.
        """
        ...


def pick_device(num_gpus: float) -> str:
    """`cuda` where the job was given (a share of) a GPU and torch can use it, else `cpu`."""
    if num_gpus <= 0:
        return "cpu"
    # Lazily: torch takes 2 s to import.
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def absolute(store: "Store") -> "Store":
    """The same store, named so that a process in another folder finds it."""
    # Lazily, for what only needs this module's errors, above all `craftc lint`.
    from craftc.runtime.store.store import Store

    return Store(Path(store.root).absolute())
