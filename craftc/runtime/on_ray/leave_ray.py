"""Shuts Ray down such that no thread of this process ends it meanwhile.

Ray's C++ core ends a process at once, with code 1, in which a thread turns to it when it has gone. `ray.shutdown` lets
other threads run between the end of that core and the moment from which no name leads to it. A thread that imports a
package, for one, collects garbage, and what Tune leaves behind holds references that turn to the core when they go.
"""

import gc
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from craftc.fence import fence, require


@fence("ray.core_worker", instead="no thread collects garbage while Ray is shut down")
def leaving_worker() -> Any:
    """What `ray.shutdown` takes the core from."""
    from ray._private import worker

    ends = "global_worker.core_worker.shutdown_driver()"
    require(ends in inspect.getsource(worker.shutdown), "ray.shutdown ends its core otherwise")
    return worker.global_worker


class _LeavingCore:
    """In the place of the core of a Ray that is shut down: the core, until its end begins, and then nothing."""

    def __init__(self, core: Any) -> None:
        self._core = core

    def shutdown_driver(self) -> None:
        """What `ray.shutdown` ends a core by."""
        core, self._core = self._core, None
        core.shutdown_driver()

    def __getattr__(self, name: str) -> Any:
        if self._core is None:
            raise AttributeError(f"Ray is shut down: no {name}")
        return getattr(self._core, name)


def leave_ray() -> None:
    """Shut Ray down, or leave the cluster that this process has joined."""
    with _nothing_collected():
        worker = leaving_worker()
        if worker is not None and hasattr(worker, "core_worker"):
            # From then on, whatever turns to it is answered by an AttributeError, in whatever thread that is.
            worker.core_worker = _LeavingCore(worker.core_worker)
        ray.shutdown()


@contextmanager
def _nothing_collected() -> Iterator[None]:
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()
