"""Leaves columns out of what a model is given, once samples are divided: they are the same samples without them.

N: rows, F: columns of numbers, G: columns of categories.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import NamedTuple

from craftc.compiler.data_files.column_roles import MASK, token_names
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import all_of
from craftc.components.errors import DataError, raise_all
from craftc.components.sources.columns import Column
from craftc.components.sources.table import Table
from craftc.training.data.encode_table import RESERVED_NAMES

DROP = "drop"
PLACE = f"data.{DROP}"
_OF_GAPS = f" {RESERVED_NAMES[1]}"
"""Behind the name of a column, that of the one that says where it has gaps."""


class Named(NamedTuple):
    """What a pattern may name: an input, and of a table which of its columns."""

    name: str
    input: str
    place: int | None = None


def dropped(
    columns: Mapping[str, Column],
    patterns: Sequence[str],
    loaded: object,
    beside: Sequence[str],
    target: str | None = None,
) -> Mapping[str, Column]:
    """Columns without those that the patterns name. `loaded` is what the source gave, `beside` names what samples are
    told apart by, and `target` what is to be predicted, where that is an input. Raises DataError where a pattern names
    no input, or all of them are named."""
    named = list(_named(columns, loaded))
    there = [each for each in named if each.input != target]
    found = {pattern: [each for each in there if fnmatchcase(each.name, pattern)] for pattern in patterns}
    targets = [name for name, column in columns.items() if column.role == "target"]
    targets += [*_target_names(loaded), *(each.name for each in named if each.input == target)]
    distinct = list(dict.fromkeys(each.name for each in there))
    raise_all(_unknown(pattern, distinct, targets, beside) for pattern in patterns if not found[pattern])
    gone = {each for of_pattern in found.values() for each in of_pattern}
    if len(gone) == len(there):
        message = f"data.drop leaves out all {len(there)} columns, and a model is to be given something"
        raise DataError("data-mismatch", message, "leave one of them", PLACE)
    kept: dict[str, Column] = {}
    for name, column in columns.items():
        of_it = [each for each in there if each.input == name]
        left = [each.place for each in of_it if each not in gone]
        if column.role == "input" and of_it and not left:
            continue
        if len(left) < len(of_it):
            column = _with(column, [index for index in left if index is not None])
        if not _masks_nothing(name, column, columns, kept):
            kept[name] = column
    return kept


def _named(columns: Mapping[str, Column], loaded: object) -> Iterator[Named]:
    texts = [text.name for text in loaded.texts] if isinstance(loaded, Table) else []
    of_texts = {name: text for (name, _), text in zip(token_names(texts), texts, strict=True)}
    for name, column in columns.items():
        if column.role != "input":
            continue
        is_table = column.kind in ("real", "class") and column.values.ndim == 2 and len(column.names) == column.shape[0]
        if not is_table:
            yield Named(of_texts.get(name, name), name)
            continue
        for index, each in enumerate(column.names):
            yield Named(each.removesuffix(_OF_GAPS), name, index)


def _with(column: Column, indices: Sequence[int]) -> Column:
    names = tuple(column.names[index] for index in indices)
    sizes = tuple(column.sizes[index] for index in indices) if len(column.sizes) > 1 else column.sizes
    return replace(column, values=column.values[:, indices], names=names, sizes=sizes)


def _masks_nothing(name: str, column: Column, before: Mapping[str, Column], kept: Mapping[str, Column]) -> bool:
    """Whether it is the mask of an input that is left out."""
    if column.role != "mask" or not name.endswith(MASK):
        return False
    of = "tokens" if name == MASK else name.removesuffix(f"_{MASK}")
    return of in before and of not in kept


def _target_names(loaded: object) -> list[str]:
    return [column.name for column in loaded.columns if column.is_target] if isinstance(loaded, Table) else []


def _unknown(pattern: str, there: Sequence[str], target: Sequence[str], beside: Sequence[str]) -> DataError:
    if pattern in target:
        return DataError("data-mismatch", f'"{pattern}" of data.drop is the target', "leave another out", PLACE)
    if pattern in beside:
        message = f'"{pattern}" of data.drop is no input: samples are told apart by it, and no model is given it'
        return DataError("data-mismatch", message, "take it out of data.drop", PLACE)
    near = nearest(pattern, there)
    hint = f'did you mean "{near}"?' if near else f"it has {all_of(there)}"
    return DataError("data-mismatch", f'the data has no column "{pattern}", which data.drop names', hint, PLACE)
