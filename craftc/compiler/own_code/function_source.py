"""Parses the source of a function: the places of its parameters, and which call receives its `**kwargs`."""

from __future__ import annotations

import ast
import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from craftc.compiler.own_code.python_source import SourceIndex, lines_of
from craftc.schemas.diagnostic import Range

if TYPE_CHECKING:
    import griffe

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Forwarding:
    """The one call that a function hands all its `**kwargs` to.

    `callee` is a dotted name, empty for `super().__init__`. `given` are the arguments that the call sets itself, and
    `num_positional` how many it sets by position.
    """

    callee: str
    given: frozenset[str]
    num_positional: int


@dataclass(frozen=True)
class FunctionSource:
    """A function's tree. Its first line is `line` of the file; `indent` columns were cut off on the left."""

    file: Path
    node: FunctionNode
    line: int
    indent: int

    def place(self, name: str, index: SourceIndex) -> Range | None:
        """Where a parameter stands."""
        arguments = self.node.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            if argument.arg == name:
                column = argument.col_offset + self.indent + 1
                return index.place(self.file, self.line + argument.lineno - 1, column, len(name))
        return None

    def forwarding(self) -> Forwarding | None:
        """The call that takes `**kwargs`, where nothing else is done with them but to look for names in them."""
        if self.node.args.kwarg is None:
            return None
        name = self.node.args.kwarg.arg
        calls = [node for node in _walk(self.node) if isinstance(node, ast.Call) and _unpacks(node, name)]
        asked = [c for node in _walk(self.node) if isinstance(node, ast.Compare) for c in node.comparators]
        num_used = sum(isinstance(node, ast.Name) and node.id == name for node in _walk(self.node))
        num_asked = sum(isinstance(node, ast.Name) and node.id == name for node in asked)
        if len(calls) != 1 or num_used - num_asked != 1:
            return None
        (call,) = calls
        others = [keyword for keyword in call.keywords if keyword.arg is None]
        if len(others) != 1 or any(isinstance(arg, ast.Starred) for arg in call.args):
            return None
        callee = ast.unparse(call.func)
        if callee.startswith("super(") and callee.endswith(").__init__"):
            callee = ""
        elif not isinstance(call.func, ast.Name | ast.Attribute) or "(" in callee:
            return None
        given = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
        return Forwarding(callee, given, len(call.args))


def function_source(function: griffe.Function) -> FunctionSource | None:
    """The tree of a function; None where its text cannot be taken by itself."""
    file, first, last = function.filepath, function.lineno, function.endlineno
    if not isinstance(file, Path) or first is None or last is None:
        return None
    lines = lines_of(file)[first - 1 : last]
    text = textwrap.dedent("\n".join(lines))
    indent = len(lines[0]) - len(text.splitlines()[0]) if text else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(text).body[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError, IndexError):
        return None  # a string over several lines that begins left of the function
    return FunctionSource(file, node, first, indent) if isinstance(node, FunctionNode) else None


def _walk(node: FunctionNode) -> list[ast.AST]:
    return [inner for statement in node.body for inner in ast.walk(statement)]


def _unpacks(call: ast.Call, name: str) -> bool:
    return any(k.arg is None and isinstance(k.value, ast.Name) and k.value.id == name for k in call.keywords)
