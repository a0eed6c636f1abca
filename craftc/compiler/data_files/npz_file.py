"""The file of an `arrays` source: names, types and shapes of its arrays, which stand before their numbers."""

import ast
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.seen import HEAD_BYTES, NOTHING, Seen, mistaken
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean
from craftc.schemas.catalogue import TargetKind
from craftc.schemas.diagnostic import Severity

_TYPE_NAMES = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "O": "object", "U": "text"}
_TYPE_NAMES |= {"S": "bytes", "V": "record", "M": "datetime", "m": "timedelta"}
_MAGIC = b"\x93NUMPY"
_HEADER_BYTES = 4096
_WHOLE_TYPES = {"b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}
_TEXT_TYPE = re.compile(r"<U(\d+)")
_FEW = (1, 2, 3, 4)
"""Sizes that a channel axis has."""
_MOST_STRETCHED = 3
"""Of the sides of a picture, how many times the longer has the shorter."""


class ArrayHeader(NamedTuple):
    """`dtype` as numpy writes it, such as `<f8`; None of structured ones."""

    dtype: str | None
    shape: tuple[int, ...]

    @property
    def kind(self) -> str:
        """As numpy has it: one letter, `V` of structured ones."""
        return self.dtype[1] if self.dtype else "V"

    @property
    def type_name(self) -> str:
        """`type float64`, `type object`."""
        name, size = _TYPE_NAMES.get(self.kind, self.kind), (self.dtype or "")[2:]
        return f"type {name}{8 * int(size) if self.kind in 'iufc' and size.isdigit() else ''}"


def look_at_arrays(path: Path, shown: str, arguments: Mapping[str, Any], most_bytes: int) -> Seen:
    """What the headers show, and the labels where more is to be read; messages call the file `shown`."""
    if not path.exists():
        return NOTHING
    if path.is_dir():
        return mistaken(f"{shown} is a folder, and arrays reads an .npz file", "name the file in it")
    try:
        if not zipfile.is_zipfile(path):
            what = "holds a single array, not named ones" if _is_npy(path) else "is no .npz file, or not a whole one"
            return mistaken(f"{shown} {what}", "write it with numpy.savez(path, inputs=..., targets=...)")
        headers = _headers(path)
    except (OSError, ValueError, SyntaxError, struct.error, zipfile.BadZipFile, NotImplementedError):
        return NOTHING  # the source reports what is wrong with the file
    keys = {name: arguments.get(name, name) for name in ("inputs", "targets")}
    missing = [(name, key) for name, key in keys.items() if key not in headers]
    if missing:
        name, key = missing[0]
        hint = did_you_mean(key, headers) or f"it has {all_of(headers) or 'none'}; name one of them"
        return mistaken(f'{shown} has no array "{key}"', hint, name)
    inputs, targets = headers[keys["inputs"]], headers[keys["targets"]]
    problem = _unfit(inputs, targets, keys, shown) or channels_last(inputs.shape, keys["inputs"])
    if (problem is None or problem.severity == "warning") and inputs.shape[:1] != targets.shape[:1]:
        message = f'"{keys["inputs"]}" has shape {inputs.shape} and "{keys["targets"]}" {targets.shape}'
        problem = Problem("data-mismatch", ("data", "source", "targets"), message, "store one target for each sample")
    problems = (problem,) if problem else ()
    if not inputs.shape or any(each.severity == "error" for each in problems):
        return Seen(problems)
    labels = _labels(path, keys["targets"], targets, most_bytes) if most_bytes > HEAD_BYTES else None
    kind: TargetKind = "real" if targets.kind == "f" else "class" if len(targets.shape) == 1 else "classes"
    return Seen(problems, inputs.shape[0], None if labels is None else in_order(labels), kind)


def _is_npy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _unfit(inputs: ArrayHeader, targets: ArrayHeader, keys: Mapping[str, str], shown: str) -> Problem | None:
    """Types and shapes of which no samples can be made."""
    found, hint, argument = "", "", "inputs"
    if inputs.kind not in "buif":
        found, hint = inputs.type_name, "store integers or floats"
    elif not 2 <= len(inputs.shape) <= 4:
        found, hint = f"shape {inputs.shape}", "store a table (N, F) or images (N, H, W) or (N, C, H, W)"
    elif not _are_targets(targets):
        argument, found = "targets", f"{targets.type_name} and shape {targets.shape}"
        hint = "store one whole number or text per sample"
        if len(targets.shape) == 2:
            hint += ": targets.argmax(1) of one-hot ones" if targets.shape[1] > 1 else ": targets[:, 0]"
        elif targets.kind in "fSO":
            hint += f": targets.astype({'int' if targets.kind == 'f' else 'str'})"
    if not found:
        return None
    message = f'"{keys[argument]}" in {shown} is of {found}'
    code = "data-mismatch" if argument == "targets" or found.startswith("shape") else "data-unreadable"
    return Problem(code, ("data", "source", argument), message, hint)


def _are_targets(header: ArrayHeader) -> bool:
    """Classes, quantities, or several labels."""
    if len(header.shape) == 1:
        return header.kind in "buiUf"
    return header.kind == "f" or (header.kind == "b" and len(header.shape) == 2)


def channels_last(shape: tuple[int, ...], name: str = "inputs") -> Problem | None:
    """Images whose channels look to be the last axis, (N, H, W, C), as most programs other than torch store them.

    A warning of what is no picture by its sides: it may be (N, C, L, 1) as well.
    """
    if len(shape) != 4 or shape[3] not in _FEW or shape[1] in _FEW or shape[2] in _FEW:
        return None
    is_picture = max(shape[1:3]) <= _MOST_STRETCHED * min(shape[1:3])
    message = f'"{name}" has shape {shape}: its channels look to be the last axis, and craftc takes (N, C, H, W)'
    hint = f"store {name}.transpose(0, 3, 1, 2)" + (f", or {name}[..., 0] of grey images" if shape[3] == 1 else "")
    severity: Severity = "error" if is_picture else "warning"
    return Problem("data-mismatch", ("data", "source", "inputs"), message, hint, severity=severity)


def _headers(path: Path) -> dict[str, ArrayHeader]:
    with zipfile.ZipFile(path) as archive:
        found = {}
        for entry in archive.namelist():
            if entry.endswith(".npy"):
                with archive.open(entry) as file:
                    found[entry.removesuffix(".npy")], _ = _header(file.read(_HEADER_BYTES))
        return found


def _labels(path: Path, key: str, header: ArrayHeader, most_bytes: int) -> set[str] | None:
    """The different labels, as the source writes them; None of what is no label, or too much."""
    dtype, num_labels = header.dtype or "", math.prod(header.shape)
    text = _TEXT_TYPE.fullmatch(dtype)
    width = 4 * int(text[1]) if text else int(dtype[2:]) if dtype[1:] in _WHOLE_TYPES and dtype[0] in "<|" else 0
    if not width or len(header.shape) != 1 or num_labels * width > most_bytes:
        return None
    with zipfile.ZipFile(path) as archive:
        content = archive.read(f"{key}.npy")
    _, start = _header(content[:_HEADER_BYTES])
    numbers = content[start : start + num_labels * width]
    if not text:
        return {str(number) for (number,) in struct.iter_unpack(f"<{_WHOLE_TYPES[dtype[1:]]}", numbers)}
    cells = {numbers[index : index + width] for index in range(0, len(numbers), width)}
    return {cell.decode("utf-32-le").rstrip("\0") for cell in cells}


def _header(start: bytes) -> tuple[ArrayHeader, int]:
    """Of an .npy file by its first bytes, and where its numbers begin. Raises ValueError."""
    if start[:6] != _MAGIC:
        raise ValueError("no .npy")
    form, begin = ("<H", 10) if start[6] == 1 else ("<I", 12)
    size = struct.unpack_from(form, start, 8)[0]
    about = ast.literal_eval(start[begin : begin + size].decode("latin-1"))
    descr = about["descr"]
    return ArrayHeader(descr if isinstance(descr, str) else None, tuple(about["shape"])), begin + size
