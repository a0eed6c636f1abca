"""Turns a program's state into bytes and back: plain values, tensors and arrays; reading them runs no code."""

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from craftc.training.programs.metrics import ReportError

PLAIN = (type(None), bool, int, float, complex, str, bytes)
_ZIP = b"PK"
_SAFE = {("collections", "OrderedDict"), ("builtins", "complex"), ("builtins", "set"), ("_codecs", "encode")}
_SAFE |= {
    (module, name)
    for module in ("numpy._core.multiarray", "numpy.core.multiarray")
    for name in ("_reconstruct", "scalar")
}
_SAFE |= {("numpy._core.numeric", "_frombuffer"), ("numpy", "ndarray"), ("numpy", "dtype")}


class StateError(Exception):
    """The bytes hold no state."""


def encoded(state: Any) -> bytes:
    """The state as bytes. Raises ReportError `program-bad-state` where it holds anything but values, and says where."""
    for place, value in _strangers(state, "state"):
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise ReportError(
            "program-bad-state",
            f"{place} is a {kind}, and a state holds numbers, texts, tensors, arrays, lists and mappings"
            + ("; hand over its state_dict()" if hasattr(value, "state_dict") else ""),
        )
    buffer = io.BytesIO()
    # Tensors can only be there where torch is; to import it for others would take 2 s.
    torch = sys.modules.get("torch")
    if torch is None:
        pickle.dump(state, buffer, protocol=5)
    else:
        torch.save(state, buffer)
    return buffer.getvalue()


def decoded(content: bytes) -> Any:
    """The state, its tensors on the CPU. Raises StateError."""
    try:
        if not content.startswith(_ZIP):
            return _Values(io.BytesIO(content)).load()
        import torch

        with torch.serialization.safe_globals(_arrays()):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged pickle may raise anything.
        raise StateError(str(error).splitlines()[0] if str(error) else type(error).__name__) from error


class _Values(pickle.Unpickler):
    """Makes plain values and arrays, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _SAFE or module == "numpy.dtypes":
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def _arrays() -> list[Any]:
    """What arrays are made of in a pickle, for torch's own reader of plain values."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return []
    core = numpy._core.multiarray if hasattr(numpy, "_core") else numpy.core.multiarray
    kinds = [type(numpy.dtype(char)) for char in numpy.typecodes["All"] + "SU"]
    return [core._reconstruct, core.scalar, numpy.ndarray, numpy.dtype, *kinds]


def _strangers(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """What is none of the kinds of values that a state may hold, with its place."""
    kind = type(value)
    if kind in PLAIN or _is_array(value):
        return
    if kind in (dict, OrderedDict):
        for key, item in value.items():
            if type(key) not in PLAIN:
                yield f"a key of {place}", key
            yield from _strangers(item, f"{place}[{key!r}]")
    elif kind in (list, tuple, set):
        for index, item in enumerate(value):
            yield from _strangers(item, f"{place}[{index}]")
    else:
        yield place, value


def _is_array(value: Any) -> bool:
    """A tensor or what describes one, or an array or scalar of NumPy that holds numbers or texts."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and type(value) in (torch.Tensor, torch.nn.Parameter, torch.Size, torch.dtype, torch.device):
        return True
    if numpy is None or not isinstance(value, numpy.ndarray | numpy.generic):
        return False
    return type(value) is not numpy.recarray and not value.dtype.hasobject
