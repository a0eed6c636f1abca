"""Calls the data source that a spec names, and accepts each form of samples that it may return."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.labels import odd_names
from craftc.components.build import build
from craftc.components.errors import DataError, DataWarning, joined, raised, type_name
from craftc.components.own_line import told
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.exact_numbers import as_floats, rounded_wholes
from craftc.components.sources.guess_columns import are_no_classes, column_of, guessed
from craftc.components.sources.samples import (
    ASKED_NOTHING,
    INPUT,
    TARGET,
    Asked,
    Inputs,
    Samples,
    beside,
    number_classes,
)
from craftc.components.sources.table import Table
from craftc.components.sources.tokens import Tokens, united_tokens
from craftc.schemas.catalogue import is_own

FORMS = (
    "return (inputs, targets), (inputs, targets, class_names), (inputs, targets, class_names, columns), a dataset of "
    "pairs (input, target), arrays by name, Columns, or the Tokens of a text"
)
Loaded = Samples | Columns | Tokens | Table
"""What a source gives."""


def load_samples(setting: Mapping[str, Any], asked: Asked = ASKED_NOTHING, *, gives_splits: bool = False) -> Loaded:
    """Call the source, and take what it returns for samples, or for a text; where it `gives_splits`, for a mapping of
    those. Raises DataError."""
    if not is_own(setting["kind"]):
        return _built_in(setting, asked)
    try:
        returned = build("sources", setting, asked)
        return united(returned) if gives_splits and isinstance(returned, Mapping) else as_samples(returned)
    except DataError as error:
        kind = setting["kind"]
        named = (DataError(each.code, f"{kind}: {each.message}", each.hint, each.place) for each in error.all)
        raise joined(named) from error
    except Exception as error:
        hint = "the source is code of your own; it runs before anything is trained"
        raise DataError("source-failed", f"{setting['kind']}: {told(error)}", hint) from error


def _built_in(setting: Mapping[str, Any], asked: Asked) -> Loaded:
    try:
        samples: Loaded = build("sources", setting, asked)
    except DataError:
        raise
    except Exception as error:
        what = f"{setting['kind']} cannot read its data: {type(error).__name__}: {error}"
        hint = "this is a fault of craftc, which should say what is wrong; check the file"
        raise DataError("source-failed", what, hint) from error
    return samples


def as_samples(returned: Any) -> Loaded:
    """Samples of what a user's own source returned: Samples, Columns, Tokens, arrays, or a dataset that fits in memory.

    Floating-point targets are quantities, booleans (N, C) several labels. Labels are numbered from 0 in their order
    where no class names come with them. Raises DataError.
    """
    if isinstance(returned, Samples | Columns | Tokens | Table):
        return returned
    if isinstance(returned, Mapping) and any(isinstance(part, tuple | Loaded) for part in returned.values()):
        hint = "write data.splits: {from_source: true}"
        raise DataError("source-failed", "it returned a mapping of splits, where samples are expected", hint)
    if isinstance(returned, Mapping) and returned and all(isinstance(name, str) for name in returned):
        return guessed({name: np.asarray(_unbound(values)) for name, values in returned.items()})
    names: Any = None
    columns: Any = getattr(returned, "by_sample", None)
    if isinstance(returned, tuple) and len(returned) in (2, 3, 4):
        inputs, targets, *rest = returned
        names, columns = (*rest, None, None)[:2]
    elif hasattr(returned, "__getitem__") and hasattr(returned, "__len__") and not isinstance(returned, Mapping | str):
        inputs, targets = _items(returned)
        names = getattr(returned, "classes", None)
    else:
        raise DataError("source-failed", f"it returned {type_name(returned)}, which holds no samples", FORMS)
    values, warnings = _numbers(inputs)
    by_sample = {} if columns is None else _columns(columns)
    given = np.asarray(_unbound(targets))
    if names is None and are_no_classes(given):
        found = {INPUT: Column(values, "real"), TARGET: column_of(TARGET, given, "target")}
        return Columns(found, warnings, by_sample)
    return replace(_samples(values, _labels(targets), names, warnings), by_sample=by_sample)


def united(returned: Mapping[Any, Any]) -> Samples | Columns | Tokens:
    """The samples of all splits, with a column `split` that says which each is in; or their texts, one after the other.

    Raises DataError.
    """
    parts = {str(name): as_samples(part) for name, part in returned.items()}
    texts = {name: part for name, part in parts.items() if isinstance(part, Tokens)}
    if texts and len(texts) == len(parts):
        return united_tokens(texts)
    labelled = {name: part for name, part in parts.items() if isinstance(part, Samples)}
    columns = {name: part for name, part in parts.items() if isinstance(part, Columns)}
    if not parts or max(len(labelled), len(columns)) < len(parts):
        raise DataError("source-failed", "its mapping of splits does not hold samples of one form", FORMS)
    return _united_samples(labelled) if labelled else _united_columns(columns)


def _united_samples(parts: Mapping[str, Samples]) -> Samples:
    first = next(iter(parts.values()))
    _check_shapes([part.inputs for part in parts.values()])
    class_names = in_order({name for part in parts.values() for name in part.class_names})
    if len({part.class_names for part in parts.values()}) == 1:
        class_names = first.class_names
    places = {name: place for place, name in enumerate(class_names)}
    numbers = [np.array([places[name] for name in part.class_names])[part.targets] for part in parts.values()]
    return Samples(
        np.concatenate([part.inputs for part in parts.values()]),
        np.concatenate(numbers).astype(np.int64),
        class_names,
        first.columns,
        tuple(warning for part in parts.values() for warning in part.warnings),
        _united_by_sample(parts),
    )


def _united_columns(parts: Mapping[str, Columns]) -> Columns:
    first = next(iter(parts.values()))
    kinds = {name: (column.kind, column.role, column.names) for name, column in first.columns.items()}
    found: dict[str, Column] = {}
    for part in parts.values():
        if {name: (column.kind, column.role, column.names) for name, column in part.columns.items()} != kinds:
            raise DataError("source-failed", "its splits have different columns", "give all of them the same columns")
    for name, column in first.columns.items():
        values = [part.columns[name].values for part in parts.values()]
        _check_shapes(values)
        sizes = [part.columns[name].sizes for part in parts.values()]
        largest = tuple(max(of_one) for of_one in zip(*sizes, strict=True)) if all(sizes) else ()
        found[name] = replace(column, values=np.concatenate(values), sizes=largest)
    warnings = tuple(warning for part in parts.values() for warning in part.warnings)
    return Columns(found, warnings, _united_by_sample(parts))


def _check_shapes(values: Sequence[NDArray[Any]]) -> None:
    if len(shapes := {each.shape[1:] for each in values}) > 1:
        message = f"its splits have samples of different shapes, {sorted(shapes)}"
        raise DataError("source-failed", message, "give one shape")


def _united_by_sample(parts: Mapping[str, Samples] | Mapping[str, Columns]) -> dict[str, NDArray[Any]]:
    found = [beside(part) for part in parts.values()]
    common = sorted(set.intersection(*(set(each) for each in found)))
    together = {name: np.concatenate([each[name] for each in found]) for name in common}
    return together | {"split": np.repeat(list(parts), [len(part) for part in parts.values()])}


def _columns(columns: Any) -> dict[str, NDArray[Any]]:
    if not isinstance(columns, Mapping):
        message = f"its columns are {type_name(columns)}, not a mapping of name to values"
        raise DataError("source-failed", message, "return a dict of arrays, one value per sample")
    return {str(name): np.asarray(_unbound(values)) for name, values in columns.items()}


def _items(dataset: Any) -> tuple[list[Any], list[Any]]:
    """Inputs and targets of a dataset, one by one."""
    inputs, targets = [], []
    for index in range(len(dataset)):
        item = dataset[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            message = f"item {index} of its dataset is {type_name(item)}, not a pair (input, target)"
            raise DataError("source-failed", message, FORMS)
        inputs.append(np.asarray(_unbound(item[0])))
        targets.append(np.asarray(_unbound(item[1])))
    shapes = sorted({array.shape for array in inputs})
    if len(shapes) > 1:
        message = f"its inputs have different shapes, {shapes[0]} and {shapes[1]} among them"
        raise DataError("source-failed", message, "give all of them one shape")
    return inputs, targets


def _unbound(values: Any) -> Any:
    """A tensor on the CPU, without gradient, and in bits that NumPy has; anything else as it is."""
    if not hasattr(values, "detach"):
        return values
    plain = values.detach().cpu()
    return plain.float() if str(plain.dtype) == "torch.bfloat16" else plain


def _numbers(inputs: Any) -> tuple[Inputs, tuple[DataWarning, ...]]:
    values = np.asarray(_unbound(inputs))
    if values.dtype.kind not in "buif":
        raise DataError("source-failed", f"its inputs are of type {values.dtype}", "return integers or floats")
    return as_floats(values), rounded_wholes(values, "its inputs", "data.source")


def _labels(targets: Any) -> NDArray[np.generic]:
    labels = np.asarray(_unbound(targets))
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.flat):
        labels = labels.astype(str)
    if labels.dtype.kind not in "buiU" or labels.ndim != 1:
        message = f"its targets are of type {labels.dtype} and shape {labels.shape}"
        raise DataError("source-failed", message, "return one whole number or text per sample")
    return labels


def _samples(
    inputs: Inputs, labels: NDArray[np.generic], names: Any, warnings: tuple[DataWarning, ...] = ()
) -> Samples:
    if len(inputs) != len(labels):
        message = f"it returned {len(inputs)} inputs and {len(labels)} targets"
        raise DataError("source-failed", message, "return one target for each input")
    if names is None:
        numbers, class_names = number_classes(labels)
        if labels.dtype.kind == "U":
            warnings += raised(odd_names(class_names, ("data", "source")))
        return Samples(inputs, numbers, class_names, warnings=warnings)
    if isinstance(names, Set):
        message = "its class names are a set, whose order differs from process to process"
        raise DataError("source-failed", message, "return a list of them, or sorted(names)")
    if isinstance(names, Mapping | str):
        what = "text" if isinstance(names, str) else "mapping, of which the order says nothing of the numbers"
        message = f"its class names are a {what}"
        raise DataError("source-failed", message, "return a list of them, in the order of their numbers")
    class_names = tuple(str(name) for name in names)
    if labels.dtype.kind != "U":
        return Samples(inputs, labels.astype(np.int64), class_names, warnings=warnings)
    if unknown := set(labels.tolist()) - set(class_names):
        message = f'its class names lack "{min(unknown)}", which is among its targets'
        raise DataError("source-failed", message, "name every class")
    positions = {name: position for position, name in enumerate(class_names)}
    numbers = np.array([positions[label] for label in labels.tolist()], dtype=np.int64)
    return Samples(inputs, numbers, class_names, warnings=warnings)
