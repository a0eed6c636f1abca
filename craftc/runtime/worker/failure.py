"""What a run reports of a trial that raised an exception."""

import traceback
from collections.abc import Iterator

from craftc.components.errors import DataError
from craftc.components.own_line import own_line
from craftc.disk_full import is_disk_full
from craftc.plain_text import plain
from craftc.runtime.jobs.backend import DISK_FULL
from craftc.runtime.store.store import StoreError
from craftc.runtime.worker.trial_exit import exits_as_errors
from craftc.schemas.plan import Trial
from craftc.schemas.result import Event, TrialFailed
from craftc.secret_text import masked
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.out_of_memory import is_out_of_memory


def with_failure(trial: Trial, events: Iterator[Event]) -> Iterator[Event]:
    """The trial's events; an exception among them ends it as TrialFailed."""
    try:
        yield from exits_as_errors(events)
    except Exception as error:
        # The one boundary where whatever happens inside a trial, be it in the user's own model, becomes a value.
        yield failure(trial, error)


MOST_READ = 100_000
MOST_SAID = 2_000
"""Characters of what an exception says: some say all of an array."""


def failure(trial: Trial, error: Exception) -> TrialFailed:
    """The failure of a trial that raised `error`.

    craftc's own errors carry a code and a sentence; any other comes from the user's code or is a bug, and is named by
    its class. Where a line of the user's own code raised it, the message ends with that line.
    """
    code, message, epoch = "trial-crashed", f"{type(error).__name__}: {error}", None
    if isinstance(error, TrainingError | DataError | StoreError):
        code, message, epoch = error.code, str(error), getattr(error, "epoch", None)
    elif is_out_of_memory(error):
        code = "out-of-memory"
    if is_disk_full(error):
        code = DISK_FULL
    return TrialFailed(
        trial=trial.id,
        code=code,
        # They are stored, and may repeat an address with its password.
        message=plain(masked(_one_line(plain(message, MOST_READ), error)), MOST_SAID),
        epoch=epoch,
        traceback=masked(plain("".join(traceback.format_exception(error)), MOST_READ)),
    )


def _one_line(message: str, error: Exception) -> str:
    line = "" if isinstance(error, DataError) else own_line(error)
    first = next((text for text in message.splitlines() if text.strip()), type(error).__name__)
    return first + (f" ({line})" if line else "")
