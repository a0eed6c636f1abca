"""Mends a mend: a number in quotes that is among the values of its list already is one too many."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from craftc.compiler.reading.plain_scalar import NUMBER
from craftc.compiler.reading.problem import Problem, show
from craftc.compiler.reading.tree import look_up


def without_repeat(problem: Problem, written: Mapping[str, Any]) -> Problem:
    """The problem of a value in an axis or a choice; where its mend would list another value twice, it is to go."""
    if (
        problem.code not in ("wrong-type", "unknown-choice")
        or not problem.path
        or not isinstance(problem.path[-1], int)
    ):
        return problem
    try:
        values = look_up(written, problem.path[:-1])
        value = values[problem.path[-1]]
    except (KeyError, IndexError, TypeError):
        return problem
    others = [other for other in values if type(other) in (int, float, bool)]
    if not isinstance(value, str) or not any(_is(value, other) for other in others):
        return problem
    return replace(problem, hint=f"remove it: {show(value).strip(chr(34))} is in the list without quotes", fix=None)


def _is(text: str, other: Any) -> bool:
    if isinstance(other, bool):
        return text.lower() == str(other).lower()
    return NUMBER.fullmatch(text) is not None and float(text) == other
