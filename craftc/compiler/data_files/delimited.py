"""How a file of rows is read: what separates its columns, and whether its first row names them."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from craftc.compiler.reading.problem import Problem, one_of
from craftc.schemas.diagnostic import Path as SpecPath

Separator = Literal["comma", "semicolon", "tab", "pipe"]
SEPARATORS: dict[str, str] = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_PLURAL = {"comma": "commas", "semicolon": "semicolons", "tab": "tabs", "pipe": "|"}
PATH: SpecPath = ("data", "source", "path")
_ENOUGH_ROWS = 3
"""Below a first row that may be a sample: of fewer, nobody can tell."""
_WORTH_READING = 40


def separator_of(arguments: Mapping[str, Any]) -> str:
    """The character that separates columns, of the arguments of a source."""
    return SEPARATORS[arguments.get("separator", "comma")]


def separated_by(arguments: Mapping[str, Any]) -> str:
    """The same in words: `columns are separated by commas`."""
    return f"columns are separated by {_PLURAL[arguments.get('separator', 'comma')]}"


def with_header(rows: list[list[str]], arguments: Mapping[str, Any]) -> list[list[str]]:
    """The rows below a header: one that is made, column_1 and so on, where the file has none."""
    if arguments.get("header", True) or not rows:
        return rows
    return [column_names(len(rows[0])), *rows]


def column_names(count: int) -> list[str]:
    """What columns without a header are called."""
    return [f"column_{number}" for number in range(1, count + 1)]


def other_separator(
    names: Sequence[str], body: Sequence[Sequence[str]], arguments: Mapping[str, Any], shown: str
) -> Problem | None:
    """A first row that another character separates, into the columns that the spec asks for, or into several where
    this one finds none."""
    given, target = arguments.get("separator", "comma"), arguments["target"]
    has_header = arguments.get("header", True)
    if (has_header and target in names) or (not has_header and (len(names) > 1 or not body)):
        return None
    line = SEPARATORS[given].join(names if has_header else body[0])
    for name, character in SEPARATORS.items():
        found = [cell.strip() for cell in next(csv.reader([line], delimiter=character), [])]
        if name != given and len(found) > 1 and (target in found or len(names) == 1):
            message = f"{shown} separates its columns by {_PLURAL[name]}, and is read by {_PLURAL[given]}"
            return Problem("data-unreadable", PATH, message, f"write separator: {name} beside path")
    return None


def first_row_is_sample(
    names: Sequence[str], body: Sequence[Sequence[str]], arguments: Mapping[str, Any], shown: str
) -> Problem | None:
    """A header that looks like the rows below it: numbers where they have numbers, and texts that they have too.

    Names that count up by one are a header, which pandas writes of an array. A warning where the spec names a column of
    that header, for it may be one, and no name is there twice; otherwise an error.
    """
    if not arguments.get("header", True) or len(body) < _ENOUGH_ROWS or len(names) < 2:
        return None
    if _counts_up(names) or not _is_like(names, body[:_WORTH_READING]):
        return None
    is_named = arguments["target"] in names and len(set(names)) == len(names)
    last = f"column_{len(names)}"
    message = f"the first row of {shown} is taken for the names of its columns, and looks like a sample"
    if is_named:
        target = f"then target is column_{list(names).index(arguments['target']) + 1}"
    else:
        target = f"then target is one of column_1 to {last}"
    hint = f"write header: false beside path; {target}"
    return Problem("header-missing", PATH, message, hint, severity="warning" if is_named else "error")


def _is_like(names: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    numeric = 0
    for index, name in enumerate(names):
        cells = [row[index].strip() for row in body if index < len(row)]
        if cells and all(map(_is_number, cells)):
            if not _is_number(name):
                return False
            numeric += 1
        elif name not in cells:
            return False
    return numeric > 0


def _counts_up(names: Sequence[str]) -> bool:
    """0, 1, 2 and so on; a last one may have a name, as that of the classes."""
    numbers = [name for name in names if name.isdecimal()]
    first = int(numbers[0]) if numbers else 0
    return len(numbers) > 1 and [int(name) for name in numbers] == list(range(first, first + len(numbers)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def unreadable_hint(arguments: Mapping[str, Any]) -> str:
    """What a file needs whose rows cannot be told apart."""
    others = one_of([name for name in SEPARATORS if name != arguments.get("separator", "comma")])
    return f"every row needs as many cells as the first; {separated_by(arguments)}, unless separator is {others}"
