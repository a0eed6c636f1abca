"""A user's mistake: what, where, and how to mend it."""

from typing import Any, Literal, NamedTuple

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


class Diagnostic(NamedTuple):
    """One mistake in one place. `path` is dotted and empty where the whole document is meant."""

    code: str
    message: str
    range: Range
    severity: Severity = "error"
    hint: str | None = None
    path: str = ""
    related: tuple[Related, ...] = ()


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The contract of `craftc lint --format json`; `related` only where there is any."""
    related = [{"message": item.message, "range": range_json(item.range)} for item in diagnostic.related]
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "path": diagnostic.path,
        "range": range_json(diagnostic.range),
        **({"related": related} if related else {}),
    }


def range_json(place: Range) -> dict[str, Any]:
    """As the contract has it."""
    return {"filename": place.filename, "start": place.start._asdict(), "end": place.end._asdict()}
