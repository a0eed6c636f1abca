"""A mend in terms of the tree: which key or value becomes what. `text_edit.py` finds out what that is in the text."""

from typing import Literal, NamedTuple

from craftc.schemas.diagnostic import Path

Action = Literal["rename", "respell", "rewrite", "wrap", "unwrap", "split", "move", "flatten", "replace"]


class TreeEdit(NamedTuple):
    """What is to be done at `path`. The functions below say which fields each action has."""

    action: Action
    path: Path
    text: str = ""
    after: str = ""
    to: Path = ()
    kinds: frozenset[str] = frozenset()
    creates: bool = False


def rename(path: Path, name: str) -> TreeEdit:
    """The key at `path` is called `name`."""
    return TreeEdit("rename", path, name)


def respell(path: Path, name: str) -> TreeEdit:
    """The text at `path` is `name`, quoted as it was."""
    return TreeEdit("respell", path, name)


def rewrite(path: Path, text: str) -> TreeEdit:
    """The scalar at `path` is written as `text`."""
    return TreeEdit("rewrite", path, text)


def wrap(path: Path, before: str, after: str) -> TreeEdit:
    """What stands at `path` stands between brackets or braces."""
    return TreeEdit("wrap", path, before, after)


def unwrap(path: Path) -> TreeEdit:
    """Of the list at `path`, the only item stands there by itself."""
    return TreeEdit("unwrap", path)


def split(path: Path) -> TreeEdit:
    """The key at `path`, such as `epochs:3`, is a key and its value: a space follows the first colon."""
    return TreeEdit("split", path)


def move(path: Path, to: Path, kinds: frozenset[str] = frozenset(), *, creates: bool = False) -> TreeEdit:
    """The key at `path` stands at `to`, where nothing stands yet.

    `kinds`: the component there has to be one of these. `creates`: the section may be written for it.
    """
    return TreeEdit("move", path, to=to, kinds=kinds, creates=creates)


def flatten(path: Path) -> TreeEdit:
    """The keys of the mapping at `path`, which stands in braces, become longer by its own key, and take its place."""
    return TreeEdit("flatten", path)


def replace(path: Path, text: str) -> TreeEdit:
    """What stands at `path` in brackets or braces, or as a scalar, is written as `text`."""
    return TreeEdit("replace", path, text)
