"""The file of a `csv` source: its header, and as many rows as are asked for."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from craftc.compiler.data_files.cells import is_gap
from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.column_roles import is_typed
from craftc.compiler.data_files.delimited import (
    first_row_is_sample,
    other_separator,
    separated_by,
    separator_of,
    with_header,
)
from craftc.compiler.data_files.encodings import not_utf8
from craftc.compiler.data_files.labels import crowded, label_problems
from craftc.compiler.data_files.seen import HEAD_BYTES, NOTHING, Seen, mistaken
from craftc.compiler.data_files.table_columns import GUESS_ROWS, UNNAMED, role_problems
from craftc.compiler.data_files.typed_rows import LABEL_HINT, is_dropped, look_at_columns
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean
from craftc.schemas.diagnostic import Path as SpecPath
from craftc.secret_files import may_be_secret
from craftc.secret_text import masked

_PACKED = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")


def look_at_csv(path: Path, shown: str, arguments: Mapping[str, Any], most_bytes: int) -> Seen:
    """What the header shows, and the rows as far as `most_bytes` of the file hold them; messages call it `shown`."""
    # What may hold secrets is not looked at before it is asked for.
    if path.suffix.lower() in _PACKED or not path.exists() or may_be_secret(path.name, is_folder=False):
        return NOTHING
    if path.is_dir():
        return mistaken(f"{shown} is a folder, and csv reads a file", "name the file in it")
    try:
        rows, is_whole = _rows(path, most_bytes, arguments)
    except UnicodeDecodeError as error:
        return mistaken(*not_utf8(error, shown, path.name))
    if rows is None:
        return NOTHING
    if not rows:
        hint = "the first line names the columns, each further one is a sample"
        return mistaken(f"{shown} is empty", hint) if is_whole else NOTHING
    header, *body = rows
    names = [name.strip() for name in header]
    problems, warnings = shape_problems(names, body, arguments, shown)
    problems = problems or header_problems(names, arguments, shown)
    if problems or arguments["target"] not in names:
        return Seen(tuple(problems))
    if not body:
        message = f"{shown} has no row below its header"
        problem = Problem("data-mismatch", ("data", "source", "path"), message, "name another file")
        return Seen((problem,)) if is_whole else NOTHING
    if is_typed(arguments):
        return look_at_columns(names, body, len(first_rows(path, arguments)), arguments, shown, is_whole=is_whole)
    if bad := _cell_problem(names, body, arguments, shown):
        return Seen((*warnings, bad, *_labelled(names, body, arguments, False).problems))
    seen = _labelled(names, body, arguments, is_whole)
    return replace(seen, problems=(*warnings, *seen.problems))


def shape_problems(
    names: Sequence[str], body: Sequence[Sequence[str]], arguments: Mapping[str, Any], shown: str
) -> tuple[list[Problem], list[Problem]]:
    """What speaks for another separator or for no header: errors, and warnings."""
    if separator := other_separator(names, body, arguments, shown):
        return [separator], []
    sample = first_row_is_sample(names, body, arguments, shown)
    if sample is None:
        return [], []
    return ([sample], []) if sample.severity == "error" else ([], [sample])


def first_rows(path: Path, arguments: Mapping[str, Any]) -> list[list[str]]:
    """The rows below the header by which the roles of columns are guessed; none of what is packed or no table."""
    if path.suffix.lower() in _PACKED:
        return []
    try:
        rows, _ = _rows(path, HEAD_BYTES, arguments)
    except UnicodeDecodeError:
        return []
    return (rows or [])[1 : 1 + GUESS_ROWS]


def _labelled(
    names: Sequence[str], body: Sequence[Sequence[str]], arguments: Mapping[str, Any], is_whole: bool
) -> Seen:
    target, keep = arguments["target"], bool(arguments.get("keep_labels", False))
    column = names.index(target)
    labels = [row[column].strip() if column < len(row) else "" for row in body]
    labels = [label for label in labels if not is_dropped(label, arguments)]
    problems = label_problems(labels, target, keep=keep)
    class_names = in_order(labels)
    too_many = crowded(len(class_names), len(labels), f'column "{target}" holds') if is_whole else None
    if too_many is not None:
        problems = [problem for problem in problems if problem.code != too_many.code] + [too_many]
    return Seen(tuple(problems), len(labels) if is_whole else None, class_names if is_whole else None)


def _cell_problem(
    names: Sequence[str], body: Sequence[Sequence[str]], arguments: Mapping[str, Any], shown: str
) -> Problem | None:
    """The first cell that is no number where one is needed, or no label; a row that is longer than the header."""
    target, features = arguments["target"], arguments.get("features", "none")
    at = names.index(target)
    aside = arguments.get("split_columns", ())
    used = [
        index
        for index, name in enumerate(names)
        if name == target or (name not in aside if features == "none" else name in features)
    ]
    for number, row in enumerate(body, start=1):
        if len(row) > len(names):
            message = f"{shown}, row {number} below the header, has {len(row)} cells, and the header {len(names)}"
            return _problem(message, f"every row needs as many cells as the header has; {separated_by(arguments)}")
        if is_dropped(row[at].strip() if at < len(row) else "", arguments):
            continue
        for index in used:
            text = row[index].strip() if index < len(row) else ""
            wrong = "no label" if names[index] == target else "not a finite number"
            if text if names[index] == target else is_number(text):
                continue
            place = f'{shown}, row {number} below the header, column "{names[index]}"'
            what = f'"{text}" is {wrong}' if text else f"{wrong}, as it is empty or its row ends before it"
            return _problem(f"{place}: {what}", cell_hint(names[index], text, is_label=names[index] == target))
    return None


def cell_hint(column: str, text: str, *, is_label: bool) -> str:
    """What to do about a cell where the columns have no roles."""
    if is_label:
        return LABEL_HINT
    mend = "impute: median" if is_gap(text) else f"columns: {{{column}: category}}"
    return f"write {mend}, mend the cell, drop the row, or leave the column out of features"


def is_number(text: str) -> bool:
    """Whether pandas reads it as a finite number: ASCII, without the underscores that Python takes."""
    try:
        return text.isascii() and "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def header_problems(names: Sequence[str], arguments: Mapping[str, Any], path: Path | str) -> list[Problem]:
    """Columns that the spec names and the header does not, two of one name, and inputs without a name."""
    target, features = arguments["target"], arguments.get("features", "none")
    doubles = sorted({name for name in names if name and names.count(name) > 1})
    if doubles:
        return [_problem(f'{path} has two columns "{doubles[0]}"', "rename one")]
    if features == "none" and arguments.get("columns", "none") == "none" and (unnamed := _unnamed(names)):
        hint = "write columns: infer, or write the file without it, in pandas by to_csv(path, index=False), or name it"
        return [_problem(f"{path}: {unnamed}", hint)]
    asked: list[tuple[str, SpecPath]] = [(target, ("target",))]
    asked += [(name, ("features", index)) for index, name in enumerate([] if features == "none" else features)]
    said = arguments.get("columns", "none")
    asked += [(name, ("columns", name)) for name in (said if isinstance(said, Mapping) else ())]
    aside = tuple(arguments.get("split_columns", ()))
    found = []
    for name in aside:
        if name not in names:
            message = f'{path} has no column "{name}", which data.splits names'
            hint = _columns(name, names, Path(path), separated_by(arguments))
            found.append(Problem("data-unreadable", ("data", "splits"), message, hint))
    for name, argument in asked:
        if not name or name not in names:
            found.append(
                _problem(
                    f'{path} has no column "{name}"',
                    _columns(name, names, Path(path), separated_by(arguments)),
                    *argument,
                )
            )
    found += role_problems(arguments)
    if not found and set(names) <= {target, *aside}:
        found.append(
            Problem(
                "data-mismatch", ("data", "source", "path"), f"{path} has no column beside the target", "name another"
            )
        )
    return found


def _columns(asked: str, names: Sequence[str], path: Path, separated: str) -> str:
    """What columns a file has. One of a single column, or that may hold secrets, may be no table, and is not shown."""
    found = [name for name in names if name]
    if len(found) < 2 or may_be_secret(path.name, is_folder=False):
        return f"it has {len(found)} {'column' if len(found) == 1 else 'columns'}; {separated}"
    return did_you_mean(asked, found) or f"it has {masked(all_of(found))}; {separated}"


def _unnamed(names: Sequence[str]) -> str | None:
    """A column without a name: mostly it numbers the rows, which reveals the answer where they are sorted."""
    for index, name in enumerate(names):
        if UNNAMED.fullmatch(name):
            which = f"column {index + 1} of {len(names)}" + (f', "{name}",' if name else "")
            return f"{which} has no name: it may number the rows, which is no feature"
    return None


def _rows(path: Path, most_bytes: int, arguments: Mapping[str, Any]) -> tuple[list[list[str]] | None, bool]:
    """The header and the whole rows, blank lines left out, and whether they are all; None for what is no table.

    Raises UnicodeDecodeError.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError:
        return None, False
    is_whole = len(content) <= most_bytes
    if not is_whole:
        # A row may be torn, and a letter with it.
        content = content[: content.rfind(b"\n") + 1]
    try:
        text = content.decode("utf-8-sig")
        rows = [
            row
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(arguments))
            if len(row) > 1 or "".join(row).strip()
        ]
    except csv.Error:
        return None, False
    return with_header(rows, arguments), is_whole


def _problem(message: str, hint: str, *place: str | int) -> Problem:
    return Problem("data-unreadable", ("data", "source", *(place or ("path",))), message, hint)
