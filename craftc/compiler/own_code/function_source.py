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
    """A call that a function hands all its `**kwargs` to.

    `callee` is a dotted name, empty for `super().__init__`. `given` are the arguments that the call sets itself, and
    `num_positional` how many it sets by position; `has_more` where it also hands on `*args`, however many.
    """

    callee: str
    given: frozenset[str]
    num_positional: int
    has_more: bool = False


@dataclass(frozen=True)
class Forwardings:
    """All calls that a function hands its `**kwargs` to; `taken` are those that it takes out of them by name."""

    calls: tuple[Forwarding, ...]
    taken: tuple[str, ...] = ()


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

    def forwardings(self) -> Forwardings | None:
        """The calls that take `**kwargs`; None where something is done with them that cannot be followed.

        They may be looked at and changed by name before, and handed to a function that does so.
        """
        if self.node.args.kwarg is None:
            return None
        name = self.node.args.kwarg.arg
        nodes = _walk(self.node)
        calls = [node for node in nodes if isinstance(node, ast.Call) and _unpacks(node, name)]
        forwardings = [_forwarding(call) for call in calls]
        num_used = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
        num_understood = len(calls) + sum(_looks_into(node, name) for node in nodes)
        if not calls or None in forwardings or num_used != num_understood:
            return None
        taken = dict.fromkeys(found for node in nodes if (found := _taken(node, name)) is not None)
        return Forwardings(tuple(each for each in forwardings if each is not None), tuple(taken))


def _forwarding(call: ast.Call) -> Forwarding | None:
    others = [keyword for keyword in call.keywords if keyword.arg is None]
    if len(others) != 1:
        return None
    callee = ast.unparse(call.func)
    if callee.startswith("super(") and callee.endswith(").__init__"):
        callee = ""
    elif not isinstance(call.func, ast.Name | ast.Attribute) or "(" in callee:
        return None
    given = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
    starred = [isinstance(arg, ast.Starred) for arg in call.args]
    return Forwarding(callee, given, starred.index(True) if any(starred) else len(starred), any(starred))


def _looks_into(node: ast.AST, name: str) -> int:
    """How often a node uses the mapping of that name and leaves it a mapping: by a key, or as a call's argument."""

    def is_it(value: ast.AST) -> bool:
        return isinstance(value, ast.Name) and value.id == name

    if isinstance(node, ast.Compare):
        return sum(map(is_it, node.comparators))
    if isinstance(node, ast.Subscript):
        return int(is_it(node.value))
    if isinstance(node, ast.Call):
        by_method = isinstance(node.func, ast.Attribute) and node.func.attr in _BY_KEY and is_it(node.func.value)
        return int(by_method) + sum(map(is_it, node.args))
    return 0


_BY_KEY = ("get", "pop", "setdefault", "update")


def _taken(node: ast.AST, name: str) -> str | None:
    """The key that a node takes out of the mapping of that name, which nobody else then takes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "pop":
        return None
    if not isinstance(node.func.value, ast.Name) or node.func.value.id != name or not node.args:
        return None
    key = node.args[0]
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


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
