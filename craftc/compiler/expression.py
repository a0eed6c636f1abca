"""A small language for rules over a spec: names, numbers, text, comparison, arithmetic, and, or, not.

Text is read with Python's own parser and walked over an allow-list of nodes; nothing is ever evaluated by Python.
There is no power, call, comprehension or attribute of anything but the spec, so every expression ends at once.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from craftc.schemas.diagnostic import Path

MAX_LENGTH = 1000

_BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class ExpressionError(Exception):
    """The expression is not of the language, or cannot be computed with the values that it names."""


class Expression:
    """A parsed rule. Raises ExpressionError where the text is not of the language."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
        try:
            self._root = ast.parse(text.strip(), mode="eval").body
            self.names = tuple(dict.fromkeys(_names(self._root)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deep or holds odd characters"
            raise ExpressionError(f"cannot be read: {reason}") from None

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The value, given the plain tree that names are looked up in.

        Raises ExpressionError where a name does not exist or an operation does not fit its values.
        """
        try:
            return _evaluate(self._root, values)
        except (TypeError, ZeroDivisionError, OverflowError) as error:
            raise ExpressionError(f"cannot be computed: {error}") from None


def _names(node: ast.AST) -> list[Path]:
    """All paths that the expression reads; raises ExpressionError on a node that is not of the language."""
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return [_path(node)]
        case ast.Constant(value=bool() | int() | float() | str()):
            return []
        case ast.BoolOp(values=parts):
            return [name for part in parts for name in _names(part)]
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            return _names(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _names(left) + _names(right)
        case ast.Compare(left=left, ops=ops, comparators=rights) if all(type(op) in _COMPARE for op in ops):
            return _names(left) + [name for right in rights for name in _names(right)]
    raise ExpressionError(f"has {ast.unparse(node)}; only names, numbers, text, comparison, arithmetic, and, or, not")


def _path(node: ast.AST) -> Path:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=parent, attr=name):
            return (*_path(parent), name)
        case ast.Subscript(value=parent, slice=ast.Constant(value=int() as index)):
            return (*_path(parent), index)
    raise ExpressionError(f"has {ast.unparse(node)}, which is not a path")


def look_up(values: Any, path: Path) -> Any:
    """The value at a path of a plain tree. Raises KeyError where there is none."""
    for part in path:
        if isinstance(values, Mapping) and part in values:
            values = values[part]
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            raise KeyError(path)
    return values


def _evaluate(node: ast.AST, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_evaluate(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_evaluate(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, values)
        case ast.UnaryOp(op=op, operand=operand):
            value = _evaluate(operand, values)
            return -value if isinstance(op, ast.USub) else +value
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _evaluate(left, values), _evaluate(right, values)
            if isinstance(a, str) or isinstance(b, str):
                raise TypeError("arithmetic takes numbers")
            return _BINARY[type(op)](a, b)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            a = _evaluate(left, values)
            for op, right in zip(ops, rights, strict=True):
                b = _evaluate(right, values)
                if not _COMPARE[type(op)](a, b):
                    return False
                a = b
            return True
        case _:
            path = _path(node)
            try:
                return look_up(values, path)
            except KeyError:
                raise ExpressionError(f"names {'.'.join(map(str, path))}, which does not exist") from None
