"""Checks whether a function can train trials, and finds the parameter that is handed the `Run`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from craftc.compiler.own_code.annotation import Scope, expression
from craftc.compiler.own_code.constructor import Argument
from craftc.compiler.own_code.function_source import FunctionNode, function_source
from craftc.schemas.catalogue import Reported

if TYPE_CHECKING:
    import griffe

RUN = "run"
"""What the parameter is called where no annotation says which one it is."""
_CLASS = "Run"
_REPORT, _FINISH, _METRICS = "report", "finish", "metrics"
_NESTED_CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def run_argument(arguments: tuple[Argument, ...]) -> Argument | None:
    """The parameter that the run is given to: one whose annotation names craftc's `Run`, or the one called `run`."""
    by_name = [argument for argument in arguments if argument.kind in ("ordinary", "positional")]
    annotated = (argument for argument in by_name if _names_run(expression(argument.annotation), argument.scope))
    return next(annotated, None) or next((argument for argument in by_name if argument.name == RUN), None)


def _names_run(annotation: ast.expr, scope: Scope) -> bool:
    nodes = list(ast.walk(annotation))
    paths = [scope.path(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)]
    if any(path.startswith("craftc.") and path.endswith(f".{_CLASS}") for path in paths):
        return True
    texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return any(_names_run(expression(text), scope) for text in texts)


def program_problem(found: griffe.Class | griffe.Function, arguments: tuple[Argument, ...]) -> tuple[str, str] | None:
    """Why something cannot be a program, in words that follow its name, and the mend; None where it can."""
    import griffe

    if isinstance(found, griffe.Class):
        mend = f"write a function that takes run, makes a {found.name} and has it train, and name that"
        return "is a class, and a program is a function", mend
    source = function_source(found)
    if source is not None and isinstance(source.node, ast.AsyncFunctionDef):
        mend = f"write def in the place of async def; asyncio.run(...) runs what {found.name} awaits"
        return "is async, and a program is a plain function", mend
    if source is not None and any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(source.node)):
        return "is a generator, and a program is a plain function", "report by run.report(...) in the place of yield"
    run = run_argument(arguments)
    if run is None:
        mend = "give it a first parameter run: craftc.Run, by which it reports"
        return "takes no run, which every program is given", mend
    before = [a.name for a in arguments if a.kind == "positional" and a is not run and a.default is None]
    if before:
        return (
            f"needs {', '.join(before)} by position, and arguments are given by name",
            "remove the / of its signature",
        )
    return None


def reported_metrics(found: griffe.Class | griffe.Function, arguments: tuple[Argument, ...]) -> Reported | None:
    """What a program reports, where its source writes out each name and hands the run to nothing else; else None."""
    import griffe

    run, source = run_argument(arguments), function_source(found) if isinstance(found, griffe.Function) else None
    if run is None or source is None:
        return None
    nodes = [node for statement in source.node.body for node in ast.walk(statement)]
    methods = [n for n in nodes if isinstance(n, ast.Attribute) and _is_name(n.value, run.name)]
    calls = [n for n in nodes if isinstance(n, ast.Call) and n.func in methods]
    num_uses = sum(_is_name(node, run.name) for node in nodes)
    reporting = [n for n in methods if n.attr in (_REPORT, _FINISH)]
    if num_uses != len(methods) or {id(n) for n in reporting} > {id(call.func) for call in calls}:
        return None
    names: dict[str, list[str]] = {_REPORT: [], _FINISH: []}
    for call in calls:
        attribute = cast("ast.Attribute", call.func).attr
        if attribute in names:
            written = _written_names(call)
            if written is None:
                return None
            names[attribute] += written
    return Reported(tuple(dict.fromkeys(names[_REPORT])), tuple(dict.fromkeys(names[_FINISH])))


def _written_names(call: ast.Call) -> list[str] | None:
    """The keys of the mapping of metrics that a call is given; None where they are not written out."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == _METRICS]
    metrics = next(iter([*call.args[:1], *given]), None)
    if not isinstance(metrics, ast.Dict):
        return None
    names = [key.value for key in metrics.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return names if len(names) == len(metrics.keys) else None


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """The nodes of a function's body but those of functions and classes within it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _NESTED_CODE):
            yield node
            waiting += ast.iter_child_nodes(node)
