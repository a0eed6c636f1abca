"""Rows of a table whose columns have roles -> what is wrong with their cells, and what each column holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from craftc.compiler.data_files.cells import is_gap
from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.column_roles import INPUTS, NUMERIC, TableColumn, gap_words
from craftc.compiler.data_files.delimited import separated_by
from craftc.compiler.data_files.labels import TARGET, crowded, label_problems
from craftc.compiler.data_files.seen import Seen
from craftc.compiler.data_files.table_columns import Reading, bad_cell, columns_of, counted, doubts, reading_of
from craftc.compiler.reading.problem import Problem

Rows = Sequence[Sequence[str]]
NO_LABEL = "no label, as it is empty or its row ends before it"
LABEL_HINT = "fill the cell in, drop the row, or write unlabelled: drop"


def look_at_columns(
    names: Sequence[str], body: Rows, num_first: int, arguments: Mapping[str, Any], shown: str, *, is_whole: bool
) -> Seen:
    """What the rows show. Roles are guessed by the `num_first` at the beginning."""
    cells = cells_of(body, len(names))
    columns = columns_of(names, [texts[:num_first] for texts in cells], arguments)
    target = names.index(arguments["target"])
    numbers: Sequence[int] = range(1, 1 + len(body))
    if arguments.get("unlabelled", "refuse") == "drop":
        numbers = [number for number, text in enumerate(cells[target], start=1) if not is_dropped(text, arguments)]
        cells = [[texts[number - 1] for number in numbers] for texts in cells]
    columns = [counted(column, texts, arguments) for column, texts in zip(columns, cells, strict=True)]
    problems = [*role_doubts(columns)]
    long = next((number for number, row in enumerate(body, start=1) if len(row) > len(names)), None)
    if long is not None:
        message = f"{shown}, row {long} below the header, has {len(body[long - 1])} cells, and the header {len(names)}"
        hint = f"every row needs as many cells as the header has; {separated_by(arguments)}"
        return Seen((*problems, Problem("data-unreadable", ("data", "source", "path"), message, hint)))
    problems += _bad_cells(columns, cells, numbers, arguments, shown)
    seen = Seen(tuple(problems), columns=tuple(columns))
    if not numbers:
        message = f"no row of {shown} has a value of the target"
        return replace(seen, problems=(*problems, Problem("data-mismatch", TARGET, message, "name another target")))
    labelled = _of_quantity if columns[target].role == "number" else _of_classes
    return labelled(seen, columns[target], cells[target], numbers, arguments, is_whole=is_whole)


def role_doubts(columns: Sequence[TableColumn]) -> list[Problem]:
    """See `doubts`; and a table of which nothing is left for a model."""
    found = doubts(columns)
    if not any(column.role in INPUTS and not column.is_target for column in columns):
        message = "no column is an input: all but the target are of role group, id or ignore"
        found.append(
            Problem("data-mismatch", ("data", "source", "columns"), message, "say which are number, category or text")
        )
    return found


def cells_of(rows: Rows, num_columns: int) -> list[list[str]]:
    """The cells of each column, without blanks around them; empty where a row ends before it."""
    columns = [[text.strip() for text in column] for column in zip_longest(*rows, fillvalue="")]
    return [columns[index] if index < len(columns) else [""] * len(rows) for index in range(num_columns)]


def is_dropped(label: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a row is left out, as it has no value of the target and the spec says so."""
    if arguments.get("unlabelled", "refuse") != "drop":
        return False
    return not label if arguments.get("keep_labels") else is_gap(label, gap_words(arguments))


def quantity_problem(reading: Reading, text: str, column: TableColumn) -> Problem | None:
    """What is wrong with a cell of a target that is a quantity."""
    bad = bad_cell(reading, text, column, "none")
    if bad is None:
        return None
    code = "label-missing" if is_gap(text, reading.more_gaps) else "data-unreadable"
    hint = LABEL_HINT if code == "label-missing" else f"mend the cell, or write columns: {{{column.name}: category}}"
    return Problem(code, TARGET, bad[0], hint)


def place_of(shown: object, number: int, column: str) -> str:
    """`cars.csv, row 3 below the header, column "hp"`."""
    return f'{shown}, row {number} below the header, column "{column}"'


def _bad_cells(
    columns: Sequence[TableColumn],
    cells: Sequence[Sequence[str]],
    numbers: Sequence[int],
    arguments: Mapping[str, Any],
    shown: str,
) -> Iterator[Problem]:
    """Of each input the first cell that cannot be given to a model; the first row first."""
    impute, found = str(arguments.get("impute", "none")), []
    for column, texts in zip(columns, cells, strict=True):
        if column.is_target or column.role not in NUMERIC:
            continue
        distinct = dict.fromkeys(texts)
        reading = reading_of(column, distinct, arguments)
        wrong = {text: bad for text in distinct if (bad := bad_cell(reading, text, column, impute))}
        index = next((index for index, text in enumerate(texts) if text in wrong), None) if wrong else None
        if index is not None:
            found.append((numbers[index], column.name, wrong[texts[index]]))
    for number, name, (what, hint) in sorted(found, key=lambda each: each[0]):
        message = f"{place_of(shown, number, name)}: {what}"
        yield Problem("data-unreadable", ("data", "source", "path"), message, hint)


def _of_quantity(
    seen: Seen,
    target: TableColumn,
    texts: Sequence[str],
    numbers: Sequence[int],
    arguments: Mapping[str, Any],
    *,
    is_whole: bool,
) -> Seen:
    reading = reading_of(target, texts, arguments)
    for number, text in zip(numbers, texts, strict=True):
        if bad := quantity_problem(reading, text, target):
            message = f'row {number} below the header, column "{target.name}": {bad.message}'
            return replace(seen, problems=(*seen.problems, replace(bad, message=message)))
    return replace(seen, num_samples=len(texts) if is_whole else None)


def _of_classes(
    seen: Seen,
    target: TableColumn,
    texts: Sequence[str],
    numbers: Sequence[int],
    arguments: Mapping[str, Any],
    *,
    is_whole: bool,
) -> Seen:
    if (empty := next((number for number, text in zip(numbers, texts, strict=True) if not text), None)) is not None:
        message = f'row {empty} below the header, column "{target.name}": {NO_LABEL}'
        return replace(seen, problems=(*seen.problems, Problem("label-missing", TARGET, message, LABEL_HINT)))
    problems = label_problems(texts, target.name, keep=bool(arguments.get("keep_labels", False)))
    class_names = in_order(texts)
    too_many = crowded(len(class_names), len(texts), f'column "{target.name}" holds') if is_whole else None
    if too_many is not None:
        hint = f"{too_many.hint}; or, to predict the quantity, write columns: {{{target.name}: number}}"
        problems = [p for p in problems if p.code != too_many.code] + [replace(too_many, hint=hint)]
    return replace(
        seen,
        problems=(*seen.problems, *problems),
        num_samples=len(texts) if is_whole else None,
        class_names=class_names if is_whole else None,
    )
