"""Uses of what torch and Ray keep private, each behind a probe; where a probe fails, its caller takes the public way.

The public way gives the same results and takes longer, so that a new release of either package costs time and not the
run: docs/decisions/0037-fences-around-private-apis.md.
"""

import functools
import logging
import os
from collections.abc import Callable
from typing import TypeVar

VARIABLE = "CRAFTC_FENCES"
"""Takes fences down, so that tests go the public way: `down` takes down all, names with commas between them these."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class ProbeError(Exception):
    """Something private is not as it is needed; the message says what."""


def fence(name: str, *, instead: str) -> "Callable[[Callable[[], T]], functools._lru_cache_wrapper[T | None]]":
    """Make a probe a fence: called at its first use, what it returns is what every later call returns.

    A probe imports what is private, checks it, and returns what its callers use. Whatever it raises takes the fence
    down: calls return None, and one line in the log says what is done `instead`. `name` is that in `VARIABLE`.
    """

    def fenced(probe: Callable[[], T]) -> "functools._lru_cache_wrapper[T | None]":
        @functools.cache
        @functools.wraps(probe)
        def opened() -> T | None:
            try:
                require(not _is_down(name), f"{VARIABLE} takes it down")
                return probe()
            # An import that fails, a missing attribute, another signature: a private API may break in any way.
            except Exception as error:
                log.warning("fence %s is down (%s: %s): %s", name, type(error).__name__, error, instead)
                return None

        return opened

    return fenced


def require(condition: bool, what: str) -> None:
    """Raise ProbeError that says `what`, unless the condition holds."""
    if not condition:
        raise ProbeError(what)


def _is_down(name: str) -> bool:
    setting = os.environ.get(VARIABLE, "")
    return setting == "down" or name in setting.split(",")
