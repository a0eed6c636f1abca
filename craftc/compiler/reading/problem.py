"""Defines a problem: a mistake at a path of a tree, before the place of its text is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.odd_characters import look_alikes, visible
from craftc.compiler.reading.tree_edit import TreeEdit
from craftc.schemas.diagnostic import Diagnostic, Path, Range, Related, Severity

MAX_SHOWN = 60
"""Characters of a user's text that a message repeats."""
MAX_TOLD = 200
"""Mistakes of one spec that are reported; a user with more corrects those first. All of 1 MiB would take minutes."""
MAX_MESSAGE = 600
"""Characters of a message."""
MAX_NAMES = 20
"""Known names that a message lists."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at `path`. `at_key` points at the key and not at its value.

    `reads` are the other places that the rule looked at: where one of them is itself mistaken, the problem is
    not worth telling. Of an unknown key, it is the key that was likely meant. `within`: the part of a text that is to
    blame, as offsets, end exclusive. `fix` is the mend, where it is sure.
    """

    code: str
    path: Path
    message: str
    hint: str | None = None
    at_key: bool = False
    severity: Severity = "error"
    reads: tuple[Path, ...] = ()
    related: tuple[Related, ...] = ()
    within: tuple[int, int] | None = None
    fix: TreeEdit | None = None

    def place(self, document: Document) -> Diagnostic:
        """The same mistake where its text stands."""
        found = document.diagnose(
            self.code,
            self.path,
            visible(cut(self.message)),
            self.hint and visible(cut(self.hint)),
            key=self.at_key,
            severity=self.severity,
            related=self.related,
            within=self.within,
        )
        if self.fix is None:
            return found
        from craftc.compiler.reading.text_edit import text_fix  # only where there is something to mend

        return found._replace(fix=text_fix(document, self.fix))


def too_many_mistakes(where: Range) -> Diagnostic:
    """Says that further mistakes from this place on are not reported."""
    message = f"{MAX_TOLD} mistakes are told; there are more from here on"
    return Diagnostic(severity="note", code="too-many-mistakes", message=message, hint="mend those first", range=where)


def cut(text: str) -> str:
    """A text short enough to be read: a message may hold what a user wrote, which may be all of a file."""
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 3]}..."


def show(value: Any) -> str:
    """A value as it would stand in YAML, short enough for a message."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value in ({}, [], ()):
        return "an empty mapping" if isinstance(value, dict) else "an empty list"
    if isinstance(value, dict):
        return f"the mapping {{{', '.join(map(str, list(value)[:3]))}{', ...' if len(value) > 3 else ''}}}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        return f'"{visible(value)}"' if len(value) <= MAX_SHOWN else f'"{visible(value[: MAX_SHOWN - 3])}..."'
    return str(value)


def type_of(node: Node) -> str:
    """What a value of a document is, without the value itself."""
    plain = node.plain()
    if isinstance(plain, bool | int | float):
        return "a number" if not isinstance(plain, bool) else "true or false"
    return "a list" if isinstance(plain, list) else "a text" if isinstance(plain, str) else "empty"


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint naming the nearest known name, or None where nothing is near."""
    near = nearest(name, known)
    if near is None:
        return None
    odd = look_alikes(name, near)
    return f'did you mean "{near}"?{f" {odd}" if odd else ""}'


def all_of(names: Iterable[str], by: str = ", ") -> str:
    """Names for a message, one after another; of very many the first."""
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMES} more" if len(listed) > MAX_NAMES else ""
    return by.join(listed[:MAX_NAMES]) + more


def classes_of(names: Iterable[str]) -> str:
    """Names of classes, which may hold any character: one with a comma, or a blank at an end, stands in quotes."""
    return all_of(show(name) if not name or "," in name or name != name.strip() else show(name)[1:-1] for name in names)


def one_of(names: Iterable[str]) -> str:
    """Names for a message: `a, b or c`; of very many the first."""
    *most, last = list(names) or ["nothing"]
    if len(most) > MAX_NAMES:
        return f"{', '.join(most[:MAX_NAMES])} and {len(most) - MAX_NAMES + 1} more"
    return f"{', '.join(most)} or {last}" if most else last
