"""The corners of a search: points at the ends of its ranges and at its choices, so that they can be tried."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.planning.shapes import shape_key
from craftc.schemas.plan import SearchPlan, Trial

MOST_CORNERS = 50
"""Of all variants together. Each costs a few steps; a search of more would be tried for minutes."""


def search_corners(compiler: PointCompiler, search: SearchPlan, known: Collection[str] = ()) -> tuple[Trial, ...]:
    """A trial of each shape that is at a corner of the search of some variant, but those whose `shape_key` is `known`.

    Points that the language, `require` or `exclude` refuses are none: the search passes them over as well. Programs
    are not tried.
    """
    shapes = set(known)
    found: list[Trial] = []
    for variant in search.variants:
        for params in _corners(search.space):
            if len(found) == MOST_CORNERS:
                return tuple(found)
            trial = next(iter(_trials(compiler, variant, params)), None)
            if trial is not None and not trial.is_program and (key := shape_key(trial)) not in shapes:
                shapes.add(key)
                found.append(trial.model_copy(update={"variant": f"{variant} {_named(params)}"}))
    return tuple(found)


def _corners(space: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every range at its highest; then each end and each choice by itself, beside what the variant has."""
    ends = {path: _ends(form) for path, form in space.items()}
    if len(ends) > 1:
        yield {path: values[-1] for path, values in ends.items() if "choice" not in space[path]}
    for path, values in ends.items():
        yield from ({path: value} for value in reversed(values))


def _ends(form: Mapping[str, Any]) -> list[Any]:
    return list(next(values for name, values in form.items() if name != "step"))


def _trials(compiler: PointCompiler, variant: str, params: Mapping[str, Any]) -> tuple[Trial, ...]:
    try:
        return compiler(variant, params, 0).trials
    except OSError:
        return ()  # what it names cannot be read: the search reports that where it comes to it


def _named(params: Mapping[str, Any]) -> str:
    """`at model.num_layers=8`; of all ranges at once, `at the highest of every range`."""
    if len(params) > 1:
        return "at the highest of every range"
    return "at " + ", ".join(f"{path}={value}" for path, value in params.items())
