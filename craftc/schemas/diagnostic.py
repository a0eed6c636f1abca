"""A user's mistake: what, where, and how to mend it."""

from typing import Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen

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


class Position(Frozen):
    """A place between characters. `line` and `column` count from 1."""

    line: int = Field(ge=1)
    column: int = Field(ge=1)


class Range(Frozen):
    """A stretch of text; `end` is exclusive."""

    filename: str
    start: Position
    end: Position


class Related(Frozen):
    """Another place that a mistake has to do with, maybe in another file: a definition, or who included it."""

    message: str
    range: Range


class Diagnostic(Frozen):
    """One mistake in one place. `path` is dotted and empty where the whole document is meant."""

    severity: Severity = "error"
    code: str
    message: str
    hint: str | None = None
    path: str = ""
    range: Range
    related: tuple[Related, ...] = Field(default=(), strict=False)
