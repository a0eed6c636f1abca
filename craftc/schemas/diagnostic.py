"""A user's mistake: what, where, how to mend it, and the mend itself where it is sure."""

from typing import Any, Literal, NamedTuple

from craftc.secret_text import masked, secret_in

Severity = Literal["error", "warning", "note"]
"""A note is no mistake: what craftc did not or could not check."""

Path = tuple[str | int, ...]
"""Where a value stands in a document: mapping keys and sequence indices from the root."""


def format_path(path: Path) -> str:
    """Join a path with dots; a key that holds a dot stands in brackets: `ablation.grid["model.num_layers"].1`."""
    text = ""
    for part in path:
        if isinstance(part, str) and "." in part:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else str(part)
    return text


def parse_path(text: str) -> Path:
    """Split a dotted path as a user writes it: `training.schedule.0.epochs`. Digits become indices."""
    return tuple(int(part) if _is_index(part) else part for part in text.split("."))


def _is_index(part: str) -> bool:
    """Not every digit of Unicode, nor every length of digits, is one that int() takes."""
    return part.isascii() and part.isdigit() and len(part) < 10


class Position(NamedTuple):
    """A place between characters. `line` and `column` count from 1."""

    line: int
    column: int


class Range(NamedTuple):
    """A stretch of text; `end` is exclusive."""

    filename: str
    start: Position
    end: Position


class Related(NamedTuple):
    """Another place that a mistake has to do with, maybe in another file: a definition, or who included it."""

    message: str
    range: Range


class Edit(NamedTuple):
    """A stretch of a text and what takes its place. Where the stretch is empty, something is put in."""

    range: Range
    text: str


class Fix(NamedTuple):
    """A mend that is sure: the only way to write what is meant. The edits are in order, in one file, and apart."""

    message: str
    edits: tuple[Edit, ...]


class Diagnostic(NamedTuple):
    """One mistake in one place. `path` is dotted and empty where the whole document is meant.

    Not `shows_line` of a file that is no spec: its text is not to be shown.
    """

    code: str
    message: str
    range: Range
    severity: Severity = "error"
    hint: str | None = None
    path: str = ""
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    shows_line: bool = True


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The contract of `craftc lint --format json`; `related` and `fix` only where there is any."""
    related = [{"message": item.message, "range": range_json(item.range)} for item in diagnostic.related]
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": masked(diagnostic.message),
        "hint": diagnostic.hint and masked(diagnostic.hint),
        "path": diagnostic.path,
        "range": range_json(diagnostic.range),
        **({"related": related} if related else {}),
        **({"fix": _fix_json(fix)} if (fix := shown_fix(diagnostic)) is not None else {}),
    }


def shown_fix(diagnostic: Diagnostic) -> Fix | None:
    """The mend, unless its text holds a secret: the files are mended all the same."""
    fix = diagnostic.fix
    return None if fix is None or any(secret_in(edit.text) for edit in fix.edits) else fix


def _fix_json(fix: Fix) -> dict[str, Any]:
    edits = []
    for place, text in fix.edits:
        stretch = {"start": place.start._asdict(), "end": place.end._asdict()}
        edits.append({"filename": place.filename, "range": stretch, "text": text})
    return {"message": fix.message, "edits": edits}


def range_json(place: Range) -> dict[str, Any]:
    """As the contract has it."""
    return {"filename": place.filename, "start": place.start._asdict(), "end": place.end._asdict()}
