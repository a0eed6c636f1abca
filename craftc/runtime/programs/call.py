"""Imports what a program's `kind` names, builds its arguments and finds the parameter that takes the `Run`."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from craftc.components.build import built_arguments, load_component, parameters_of
from craftc.training.programs.run import Run


@dataclass(frozen=True)
class Arguments:
    """What a function is called with; the Run belongs to the parameter `run`, which may be positional-only."""

    run: str
    is_positional: bool
    values: dict[str, Any]

    def positional(self, run: Run) -> tuple[Run, ...]:
        """The Run, where it is given by its place."""
        return (run,) if self.is_positional else ()

    def named(self, run: Run) -> dict[str, Any]:
        """All others."""
        return self.values if self.is_positional else {self.run: run, **self.values}


@dataclass(frozen=True)
class Call:
    """A function and the configuration of its arguments, which are not built yet."""

    function: Callable[..., Any]
    program: Mapping[str, Any]

    def arguments(self) -> Arguments:
        """Build them. Whatever the user's own components raise passes through. Raises TypeError without a parameter
        for the Run."""
        parameters = parameters_of(self.function)
        name = run_parameter(parameters)
        if name is None:
            raise TypeError(f"{self.program['kind']} has no parameter for the Run; name one run")
        is_positional = parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY
        return Arguments(name, is_positional, built_arguments(self.program, parameters))


def call_of(program: Mapping[str, Any]) -> Call:
    """Import the function that a program names. Whatever its module raises passes through."""
    return Call(load_component("programs", program["kind"]), program)


def run_parameter(parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """The parameter whose annotation names Run, or else the one of that name; None where there is neither."""
    annotated = (name for name, parameter in parameters.items() if _names_run(parameter.annotation))
    return next(annotated, "run" if "run" in parameters else None)


def _names_run(annotation: Any) -> bool:
    if isinstance(annotation, str):  # it could not be evaluated
        return any(part.strip().rpartition(".")[2] == "Run" for part in annotation.split("|"))
    return annotation is Run or Run in get_args(annotation)
