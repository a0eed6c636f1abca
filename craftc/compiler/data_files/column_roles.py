"""The roles of a table's columns, and what a spec says of them. Linting reads it for every spec: it is short."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from craftc.schemas.diagnostic import Path

Role = Literal["number", "category", "date", "text", "group", "id", "ignore"]
NUMERIC: tuple[Role, ...] = ("number", "date")
"""Roles whose columns a model gets as numbers."""
INPUTS: tuple[Role, ...] = (*NUMERIC, "category", "text")
"""Roles whose columns a model gets."""
TOKENS, MASK = "tokens", "mask"
COLUMNS: Path = ("data", "source", "columns")


class TableColumn(NamedTuple):
    """A column of a file and what it is for. `doubt` is what speaks against a role that was guessed.

    `gaps` and `distinct` are its cells without a value, and its different values, in the rows that were read; None if
    it was not. The `target` has a role, too: of a category it is the class, of a number the quantity to be predicted.
    """

    name: str
    role: Role
    guessed: bool = False
    doubt: str = ""
    gaps: int | None = None
    distinct: int | None = None
    is_target: bool = False


def is_typed(arguments: Mapping[str, Any]) -> bool:
    """Whether the columns of a source have roles, or gaps are filled; otherwise all inputs are numbers without gaps."""
    return any(arguments.get(name, "none") != "none" for name in ("columns", "impute"))


def token_names(texts: Sequence[str]) -> list[tuple[str, str]]:
    """What a model is given of each column of text, and what says which of it is text: `tokens` and `mask` of one
    alone; of several, each by its own name, made one that a parameter can have."""
    if len(texts) == 1:
        return [(TOKENS, MASK)]
    names = [re.sub(r"\W|^(?=\d)", "_", text) for text in texts]
    return [(name, f"{name}_{MASK}") for name in names]


def gap_words(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts that the spec names as gaps."""
    missing = arguments.get("missing", "none")
    return () if missing == "none" else tuple(missing)
