"""Postpones the import of torch's compiler frontend, `torch._dynamo`, until something is compiled.

torch's optimizers import it at each step and in four methods, for two calls that do nothing unless something is being
compiled just then, and its DistributedDataParallel in order to read a setting of compiled modules: 1 to 3 s of CPU time
in every process that trains.
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

from craftc.fence import fence, require

NAME = "torch._dynamo"


@fence("torch.postponed_compiler", instead="optimizers import torch._dynamo, which takes 1 to 1.5 s of CPU time")
def postpone_compiler() -> bool:
    """Have `import torch._dynamo` give a stand-in, which becomes the real one when anything else is asked of it. Where
    it is imported already, or this torch has none, nothing is done."""
    spec = None if NAME in sys.modules else importlib.util.find_spec(NAME)
    if spec is None:
        return False
    stand_in = _Postponed(NAME)
    # Code that looks through all modules asks for it, as `inspect` does.
    stand_in.__dict__["__file__"] = spec.origin
    sys.modules[NAME] = stand_in
    setattr(torch, "_dynamo", stand_in)  # noqa: B010 (declared as a module of its own)
    try:
        _try_out()
    except BaseException:
        if sys.modules.get(NAME) is stand_in:
            del sys.modules[NAME]
            delattr(torch, "_dynamo")
        raise
    return True


def _try_out() -> None:
    """What all optimizers do, with one parameter."""
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    optimizer = torch.optim.SGD([weight], lr=0.5)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    require(weight.tolist() == [0.5], "an optimizer takes another step")
    require(isinstance(sys.modules.get(NAME), _Postponed), "an optimizer asks for more of the compiler")


class _Utils:
    """What DistributedDataParallel asks of `torch._dynamo.utils`: how modules are joined that are compiled. Whoever set
    that has imported the real module."""

    @staticmethod
    def get_optimize_ddp_mode() -> str:
        """The default."""
        return "ddp_optimizer"

    def __getattr__(self, name: str) -> Any:
        return getattr(_real().utils, name)


class _Postponed(ModuleType):
    """What is asked of it while nothing is compiled, answered as it would be then. All else is the real module's."""

    utils = _Utils()

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
