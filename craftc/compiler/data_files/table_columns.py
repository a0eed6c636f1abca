"""The cells of a table's columns: the roles that they look to have, what is doubtful in that, how they are read."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from craftc.compiler.data_files.cells import as_days, as_number, days_first, is_ambiguous, is_gap, looks_dated
from craftc.compiler.data_files.column_roles import COLUMNS, INPUTS, NUMERIC, Role, TableColumn, gap_words
from craftc.compiler.reading.problem import Problem, all_of, show
from craftc.schemas.diagnostic import Path as SpecPath

GUESS_ROWS = 500
"""Rows by which a role is guessed: the first, so that linting, planning and training guess the same. Of a file of
text, as many of them as linting reads."""
UNNAMED = re.compile(r"(Unnamed: \d+)?")
"""What pandas names a column that has no name, and writes as its name, included."""
_FEW_VALUES = 10
_FEW_ROWS = 20
_MOST_TOLD = 5
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]+")
_MOSTLY = 0.8


def columns_of(names: Sequence[str], cells: Sequence[Sequence[str]], arguments: Mapping[str, Any]) -> list[TableColumn]:
    """The columns in their order. `cells` are those of each column in its first rows, without blanks around them."""
    said, features = arguments.get("columns", "none"), arguments.get("features", "none")
    target, more = arguments["target"], gap_words(arguments)
    # What splits are made by is no input, unless the spec says what it is.
    aside = arguments.get("split_columns", ())
    found = []
    for name, texts in zip(names, cells, strict=True):
        is_target = name == target
        is_left_out = not is_target and features != "none" and name not in features
        is_said = isinstance(said, Mapping) and said.get(name, "ignore") != "ignore"
        if name in aside and not is_target and not is_said and (features == "none" or is_left_out):
            column = TableColumn(name, "group")
        elif isinstance(said, Mapping) and name in said:
            is_input = said[name] in INPUTS
            column = TableColumn(name, "ignore" if is_left_out and is_input else said[name], is_target=is_target)
        elif is_target:
            column = _guessed_target(name, texts, more) if said != "none" else TableColumn(name, "category")
            column = column._replace(is_target=True)
        elif is_left_out:
            column = TableColumn(name, "ignore")
        elif said == "none":
            column = TableColumn(name, "number")
        else:
            column = guess(name, texts, more)
        found.append(column)
    return found


def counted(column: TableColumn, texts: Iterable[str], arguments: Mapping[str, Any]) -> TableColumn:
    """The column with its gaps and its different values."""
    more, counts = gap_words(arguments), Counter(texts)
    gaps = [text for text in counts if is_gap(text, more)]
    return column._replace(gaps=sum(counts[text] for text in gaps), distinct=len(counts) - len(gaps))


def guess(name: str, texts: Sequence[str], more_gaps: Sequence[str] = ()) -> TableColumn:
    """The role of a column by its name and its first cells."""
    texts = texts[:GUESS_ROWS]
    values = [text for text in texts if not is_gap(text, more_gaps)]
    if UNNAMED.fullmatch(name):
        return TableColumn(name, "ignore", True)
    if not values:
        doubt = f"none of its first {len(texts):,} cells has a value" if texts else "it has no row"
        return TableColumn(name, "ignore", True, doubt)
    numbers = [as_number(value) for value in values]
    if all(number is not None for number in numbers):
        return _of_numbers(name, values, [number for number in numbers if number is not None])
    if all(map(looks_dated, values)):
        first = days_first(values)
        unknown = first is None and any(as_days(value, day_first=None) is None for value in values)
        doubt = "day and month could be either number of its dates: write day_first: true or false" if unknown else ""
        return TableColumn(name, "date", True, doubt)
    if (odd := [v for v, n in zip(values, numbers, strict=True) if n is None]) and len(odd) < (1 - _MOSTLY) * len(
        values
    ):
        shown = all_of(map(show, sorted(set(odd))[:3]))
        doubt = f"most of its cells are numbers, and {shown} {'is' if len(set(odd)) == 1 else 'are'} none"
        return TableColumn(name, "number", True, f"{doubt}: if that is a gap, name it in missing")
    distinct = len(set(values))
    if distinct > len(values) / 2 and len(values) >= _FEW_ROWS:
        doubt = f"{distinct:,} of {len(values):,} cells differ, as names, notes and texts do"
        return TableColumn(name, "ignore", True, doubt)
    return TableColumn(name, "category", True)


def _of_numbers(name: str, values: Sequence[str], numbers: Sequence[float]) -> TableColumn:
    if any(map(_LEADING_ZERO.fullmatch, values)):
        return TableColumn(name, "category", True)
    is_whole, distinct = all(number.is_integer() for number in numbers), len(set(numbers))
    counts_up = all(later - before == 1 for before, later in pairwise(numbers))
    if is_whole and counts_up and len(numbers) >= _FEW_VALUES:
        return TableColumn(name, "id", True, "it counts the rows")
    if is_whole and 2 < distinct <= _FEW_VALUES and len(numbers) >= _FEW_ROWS:
        return TableColumn(name, "number", True, f"it has {distinct} different whole numbers, as codes do")
    return TableColumn(name, "number", True)


def _guessed_target(name: str, texts: Sequence[str], more_gaps: Sequence[str]) -> TableColumn:
    """Of numbers with a fraction a quantity, otherwise classes."""
    numbers = [as_number(text) for text in texts[:GUESS_ROWS] if not is_gap(text, more_gaps)]
    has_fraction = any(number is not None and not number.is_integer() for number in numbers)
    is_quantity = has_fraction and all(number is not None for number in numbers)
    return TableColumn(name, "number" if is_quantity else "category", True)


def doubts(columns: Sequence[TableColumn]) -> list[Problem]:
    """The columns whose role is guessed, and doubtful, in one sentence; columns without a name cannot be spoken of."""
    found = [column for column in columns if column.doubt and column.name]
    if not found:
        return []
    told = [f'"{column.name}" is taken for {_called(column.role)}, and {column.doubt}' for column in found]
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    said = ", ".join(f"{column.name}: {column.role}" for column in found[:_MOST_TOLD])
    hint = f"say what each is: columns: {{{said}}}, where that is right"
    return [Problem("column-doubtful", COLUMNS, "; ".join(told[:_MOST_TOLD]) + more, hint, severity="warning")]


def _called(role: Role) -> str:
    return {
        "number": "a number",
        "category": "a category",
        "date": "a date",
        "text": "a text",
        "group": "a group",
        "id": "an id, which is no input",
        "ignore": "a note, which is no input",
    }[role]


def role_problems(arguments: Mapping[str, Any]) -> list[Problem]:
    """A role that the target or a feature cannot have."""
    said, target, features = arguments.get("columns", "none"), arguments["target"], arguments.get("features", "none")
    if not isinstance(said, Mapping):
        return []
    found = []
    for name, role in said.items():
        place: SpecPath = (*COLUMNS, name)
        if name == target and role not in ("number", "category"):
            message = f'"{name}" is the target, and columns says that it is of role {role}'
            found.append(Problem("data-mismatch", place, message, "write category for classes, number for a quantity"))
        elif features != "none" and name in features and role in ("group", "id", "ignore"):
            message = f'"{name}" is one of the features, and columns says that it is of role {role}, which is no input'
            found.append(Problem("data-mismatch", place, message, "leave it out of one of them"))
    return found


class Reading(NamedTuple):
    """How the cells of a column are read: `day_first` of its dates, and what else stands for a gap."""

    role: Role
    more_gaps: tuple[str, ...] = ()
    day_first: bool | None = None

    def number(self, text: str) -> float | None:
        """The number that a cell stands for, of a date its days since 1970; None of what is none."""
        return as_number(text) if self.role == "number" else as_days(text, day_first=self.day_first)


def reading_of(column: TableColumn, texts: Iterable[str], arguments: Mapping[str, Any]) -> Reading:
    """How to read a column, all of whose different cells are `texts`."""
    said = arguments.get("day_first", "infer")
    day_first = None
    if column.role == "date":
        day_first = days_first(texts) if said == "infer" else bool(said)
    return Reading(column.role, gap_words(arguments), day_first)


def bad_cell(reading: Reading, text: str, column: TableColumn, impute: str) -> tuple[str, str] | None:
    """What is wrong with a cell of an input, and what to do; None where a model can be given it."""
    if reading.role not in NUMERIC:
        return None
    if text not in reading.more_gaps and reading.number(text) is not None:
        return None
    name = column.name
    if is_gap(text, reading.more_gaps):
        if impute != "none":
            return None
        what = f'"{text}" reads as a missing value' if text else "it is empty, or its row ends before it"
        return what, f"write impute: median, or mend the cell, drop the row, or write columns: {{{name}: ignore}}"
    if reading.role == "date":
        if is_ambiguous(text):
            return f'of "{text}" either number may be the day', "write day_first: true or false"
        return f'"{text}" is no date', f"write it as 2024-12-31, or write columns: {{{name}: category}}"
    hint = f"write columns: {{{name}: category}}, or missing: [{text!r}] if it stands for a gap, or mend the cell"
    return f'"{text}" is not a finite number', hint
