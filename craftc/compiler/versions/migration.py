"""A migration: the changes that bring a spec from one version of the language to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from craftc.schemas.diagnostic import Path


@dataclass(frozen=True)
class Move:
    """What stands at `path`, comments included, stands at `to`; a rename where only the last key differs.

    Paths to it, in `ablation` and `search.space`, are rewritten too. Nothing happens where nothing stands at `path`.
    """

    path: Path
    to: Path


@dataclass(frozen=True)
class Replace:
    """The scalar at `path` is written as `text`. Nothing happens where nothing stands there."""

    path: Path
    text: str


@dataclass(frozen=True)
class Remove:
    """The key at `path` goes, with its value and comments. Nothing happens where nothing stands there."""

    path: Path


Change = Move | Replace | Remove


@dataclass(frozen=True)
class Migration:
    """From version `from_version` to the next. `changes` sees the plain values as they are before the first change.

    It is also given bases and the like, of which most keys are missing: a change of what is not there does nothing.
    """

    from_version: int
    description: str
    changes: Callable[[dict[str, Any]], Sequence[Change]]
