"""What craftc uses of torchmetrics, imported without what torchmetrics imports for other uses.

At its import torchmetrics imports matplotlib, in which a metric draws itself, and scipy.signal, which it patches for
one metric of sound: 1.9 of the 5.8 s of CPU time that a process takes which trains for a moment. Where transformers and
torchvision are installed, it imports them too, for metrics of texts and of boxes: 1.7 and 3.6 s more. Nothing here
needs any of them. A metric still draws itself, and what measures texts or boxes works: each is imported then.
"""

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from craftc.components.torchvision_operators import expect_torchvision
from craftc.fence import fence, require

PLOT = "torchmetrics.utilities.plot"
"""The one module that imports matplotlib."""

PATCHING = ("torchmetrics", "torchmetrics.functional.audio", "torchmetrics.audio")
"""Those that import scipy.signal, in order to give it the `hamming` that old releases had."""

PATCHED_FOR = "gammatone"
"""The package without which the metric that needs this `hamming` cannot be used."""

LATER = ("transformers", "torchvision")
"""Packages of which torchmetrics imports names for single metrics, at the top of the modules of these."""


@fence("torch.lean_metrics", instead="torchmetrics imports matplotlib, transformers and others: 1 to 7 s of CPU time")
def import_torchmetrics() -> bool:
    """Import torchmetrics, with stand-ins for what it imports and nothing here needs. Where it is imported already,
    nothing is done."""
    if "torchmetrics" in sys.modules:
        return False
    stand_in = _matplotlib()
    try:
        with _imports_replaced(stand_in):
            plot: Any = importlib.import_module(PLOT)
        if "matplotlib" in vars(plot):
            require(plot.matplotlib is stand_in and plot.plt is stand_in.pyplot, f"{PLOT} imports matplotlib otherwise")
            plot.matplotlib, plot.plt = _Later("matplotlib"), _Later("matplotlib.pyplot")
    except BaseException:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchmetrics"]:
            del sys.modules[name]
        raise
    return True


@contextmanager
def _imports_replaced(matplotlib: ModuleType) -> Iterator[None]:
    """Within it, the modules of torchmetrics import stand-ins. Imports of all other modules, such as those of packages
    that torchmetrics imports and of other threads, are as they were."""
    scipy = SimpleNamespace(signal=SimpleNamespace(hamming=None))
    patching = () if importlib.util.find_spec(PATCHED_FOR) else PATCHING
    usual = builtins.__import__

    def imported(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        importer = globals.get("__name__") if globals else None
        if importer == PLOT and not fromlist and name.partition(".")[0] == "matplotlib":
            return matplotlib
        if importer in patching and not fromlist and name == "scipy.signal":
            return scipy
        if fromlist and not level and isinstance(importer, str) and importer.startswith("torchmetrics."):
            package = name.partition(".")[0]
            if package in LATER and package not in sys.modules:
                return SimpleNamespace(**{each: _LaterName(name, each) for each in fromlist})
        return usual(name, globals, locals, fromlist, level)

    builtins.__import__ = imported
    try:
        yield
    finally:
        builtins.__import__ = usual


def _matplotlib() -> Any:
    """What torchmetrics asks of it at its own import: types, and a decorator."""
    stand_in: Any = ModuleType("matplotlib")
    stand_in.axes = SimpleNamespace(Axes=_Axes)
    stand_in.colors = SimpleNamespace(Colormap=object)
    stand_in.pyplot = SimpleNamespace(Figure=object, style=SimpleNamespace(context=_styled))
    return stand_in


class _AxesType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        axes: Any = importlib.import_module("matplotlib.axes")
        return isinstance(instance, axes.Axes)


class _Axes(metaclass=_AxesType):
    """`matplotlib.axes.Axes`, of which what is drawn in is an instance."""


@contextmanager
def _styled(*args: Any, **kwargs: Any) -> Iterator[None]:
    """`matplotlib.pyplot.style.context`, imported when something is drawn."""
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    with pyplot.style.context(*args, **kwargs):
        yield


class _Later(ModuleType):
    """A module that is imported when something is asked of it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


class _LaterName:
    """A class or function of a module that is imported when it is called, or something is asked of it."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def _found(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._found()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        # Not what Python asks of everything, as typing does of an annotation.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._found(), name)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._found())


expect_torchvision()
import_torchmetrics()

from torchmetrics import Metric  # noqa: E402
from torchmetrics.classification import MulticlassConfusionMatrix  # noqa: E402
from torchmetrics.utilities import dim_zero_cat  # noqa: E402

__all__ = ["Metric", "MulticlassConfusionMatrix", "dim_zero_cat"]
