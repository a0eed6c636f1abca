"""Postpones the import of torch's compiler frontend, `torch._dynamo`, until something is compiled.

torch's optimizers import it at each step and in four methods, for two calls that do nothing unless something is being
compiled just then: 1 to 1.5 s of CPU time in every process that trains.
"""

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable
from threading import RLock
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


def postpone_compiler() -> None:
    """Have `import torch._dynamo` give a stand-in, which becomes the real one when anything else is asked of it. Where
    it is imported already, or this torch has none, nothing is done."""
    spec = None if NAME in sys.modules else importlib.util.find_spec(NAME)
    if spec is not None:
        stand_in = _Postponed(NAME)
        # Code that looks through all modules asks for it, as `inspect` does.
        stand_in.__dict__["__file__"] = spec.origin
        sys.modules[NAME] = stand_in
        setattr(torch, "_dynamo", stand_in)  # noqa: B010 (declared as a module of its own)


class _Postponed(ModuleType):
    """What optimizers ask of it, as it is while nothing is compiled. All else is the real module's."""

    @staticmethod
    def graph_break(msg: str = "") -> None:
        """Only means something to code that is being compiled."""

    @staticmethod
    def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, **told: Any) -> Callable[..., Any]:
        """`fn`, which is not to be compiled: as it is until there is a compiler, which is then told."""
        if fn is None:
            return functools.partial(_Postponed.disable, recursive=recursive, **told)

        disabled: list[Callable[..., Any]] = []

        @functools.wraps(fn)
        def called(*args: Any, **kwargs: Any) -> Any:
            if isinstance(sys.modules.get(NAME), _Postponed):
                return fn(*args, **kwargs)
            if not disabled:
                disabled.append(_real().disable(fn, recursive, **told))
            return disabled[0](*args, **kwargs)

        return called

    def __getattr__(self, name: str) -> Any:
        return getattr(_real(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_real(), name, value)


_LOCK = RLock()


def _real() -> Any:
    """The module itself, imported now if it is not yet."""
    with _LOCK:
        if isinstance(sys.modules.get(NAME), _Postponed):
            del sys.modules[NAME]
        return importlib.import_module(NAME)
