"""A mistake in a tree of plain values, before it is known where the text of that place stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from craftc.compiler.document import Document
from craftc.schemas.diagnostic import Diagnostic, Path


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at `path`. `at_key` points at the key and not at its value.

    `reads` are the other places that the rule looked at: where one of them is itself mistaken, the problem is
    not worth telling.
    """

    code: str
    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False
    severity: Literal["error", "warning"] = "error"
    reads: tuple[Path, ...] = ()

    def place(self, document: Document) -> Diagnostic:
        """The same mistake where its text stands."""
        tell = document.error if self.severity == "error" else document.warning
        return tell(self.code, self.path, self.message, self.hint, key=self.at_key)


def show(value: Any) -> str:
    """A value as it would stand in YAML, short enough for a message."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"the mapping {{{', '.join(map(str, list(value)[:3]))}{', ...' if len(value) > 3 else ''}}}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = f'"{value}"' if isinstance(value, str) else f"{value}"
    return text if len(text) <= 60 else text[:57] + '..."'


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint naming the nearest known name, or None where nothing is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else None


def one_of(names: Iterable[str]) -> str:
    """Names for a message: `a, b or c`."""
    *most, last = list(names) or ["nothing"]
    return f"{', '.join(most)} or {last}" if most else last
