"""Makes a BackendError of what Ray or Tune raises of its own while jobs run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ray.exceptions import RayError
from ray.tune import TuneError

from craftc.runtime.jobs.backend import BackendError

log = logging.getLogger(__name__)


@contextmanager
def ray_errors_told() -> Iterator[None]:
    """Raises BackendError `jobs-ended` in the place of a RayError or a TuneError, whose traceback is logged."""
    try:
        yield
    except (RayError, TuneError) as error:
        log.exception("Ray ended the jobs")
        # An error of another process is told with its whole traceback, of which the last line says what it is.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = lines[-1] if lines else "it gave no reason"
        again = "what was trained is kept, and the same command goes on from there"
        raise BackendError("jobs-ended", f"Ray ended the jobs: {type(error).__name__}: {said}; {again}") from error
