"""Evaluates rules over a spec: names, numbers, text, comparison, arithmetic, and, or, not.

Python's own parser reads the text, and an allow-list of its nodes is evaluated here; Python never evaluates it.
There is no power, call, comprehension or attribute of anything but the spec, so every expression ends at once.
"""

import ast
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import MAX_SHOWN, show
from craftc.compiler.reading.tree import look_up, paths_to
from craftc.schemas.diagnostic import Path, format_path

MAX_LENGTH = 1000
MAX_DEPTH = 100

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
_ELSEWHERE = {
    r"&&": "write and for &&",
    r"\|\|": "write or for ||",
    r"!(?!=)": "write not for !",
    r"(?<![=!<>])=(?!=)": "write == for what is equal",
    r"\w\.\d": "an item of a list is named in brackets, such as model.hidden[0]",
}
"""What other languages, and the paths of a grid, have in another form."""


class ExpressionError(Exception):
    """The expression is not of the language, or cannot be computed with the values that it names.

    `within` are the offsets in the text, end exclusive, of the part that is to blame; None where it is the whole.
    """

    def __init__(self, message: str, within: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.within = within


class Expression:
    """A parsed rule. Raises ExpressionError where the text is not of the language."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._indent = len(text) - len(text.lstrip())
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
        try:
            with warnings.catch_warnings():  # Python's own advice, such as on "1 is 1", is not for the user of a spec
                warnings.simplefilter("ignore")
                self._root = ast.parse(text.strip(), mode="eval").body
            self.names = tuple(dict.fromkeys(_names(self._root, MAX_DEPTH)))
        except ExpressionError as error:
            raise self._moved(error) from None
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deep or holds odd characters"
            raise ExpressionError(f"cannot be read: {reason}{_advice(text)}", _syntax_place(error, text)) from None

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The value, given the plain tree that names are looked up in.

        Raises ExpressionError where a name does not exist or an operation does not fit its values.
        """
        try:
            return _evaluate(self._root, values)
        except ExpressionError as error:
            raise self._moved(error) from None
        except (TypeError, ZeroDivisionError, OverflowError) as error:
            raise ExpressionError(f"cannot be computed: {error}") from None

    def _moved(self, error: ExpressionError) -> ExpressionError:
        """The error at the place in the text as written, whose blanks in front were not parsed."""
        if error.within is None or not self.text.isascii():  # Python counts bytes
            return ExpressionError(str(error))
        start, end = error.within
        return ExpressionError(str(error), (start + self._indent, end + self._indent))


def _advice(text: str) -> str:
    """What to write for an operator of another language."""
    for pattern, advice in _ELSEWHERE.items():
        if re.search(pattern, text):
            return f"; {advice}"
    return ""


def _meant(path: Path, values: Mapping[str, Any]) -> str:
    """The path that was likely meant by one that does not exist."""
    *way, last = path
    called = [format_path(found) for found in paths_to(values, str(last))] if not way else []
    if len(called) == 1:
        return f'; did you mean "{called[0]}"?'
    try:
        inside = look_up(values, tuple(way))
    except KeyError:
        return ""
    near = nearest(str(last), inside) if isinstance(inside, Mapping) else None
    if near is not None:
        return f'; did you mean "{format_path((*way, near))}"?'
    return "" if way else "; text stands in quotes"


def _syntax_place(error: Exception, text: str) -> tuple[int, int] | None:
    if not isinstance(error, SyntaxError) or error.offset is None or (error.lineno or 1) > 1 or not text.isascii():
        return None
    last = max(len(text.rstrip()) - 1, 0)
    # Python says 0 where the text ends too soon.
    start = min(error.offset - 1 + len(text) - len(text.lstrip()), last) if error.offset > 0 else last
    return start, start + 1


def _place(node: ast.AST) -> tuple[int, int] | None:
    """Where a node stands, in bytes; None where it runs over several lines."""
    if not isinstance(node, ast.expr) or node.lineno != node.end_lineno or node.end_col_offset is None:
        return None
    return node.col_offset, node.end_col_offset


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """The same rule is asked of every variant. Raises ExpressionError where the text is not of the language."""
    return Expression(text)


def _names(node: ast.AST, depth: int) -> list[Path]:
    """All paths that the expression reads; raises ExpressionError on a node that is not of the language."""
    if depth == 0:
        raise ExpressionError(f"is nested more than {MAX_DEPTH} levels deep")
    depth -= 1
    match node:
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return [_path(node)]
        case ast.Constant(value=bool() | int() | float() | str()):
            return []
        case ast.BoolOp(values=parts):
            return [name for part in parts for name in _names(part, depth)]
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            return _names(operand, depth)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _names(left, depth) + _names(right, depth)
        case ast.Compare(left=left, ops=ops, comparators=rights) if all(type(op) in _COMPARE for op in ops):
            return _names(left, depth) + [name for right in rights for name in _names(right, depth)]
    raise ExpressionError(
        f"has {_text(node)}; only names, numbers, text, comparison, arithmetic, and, or, not", _place(node)
    )


def _text(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def _path(node: ast.AST) -> Path:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=parent, attr=name):
            return (*_path(parent), name)
        case ast.Subscript(value=parent, slice=ast.Constant(value=int() as index)):
            return (*_path(parent), index)
    raise ExpressionError(f"has {_text(node)}, which is not a path", _place(node))


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
            value = _number(_evaluate(operand, values))
            return -value if isinstance(op, ast.USub) else +value
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _evaluate(left, values), _evaluate(right, values)
            return _BINARY[type(op)](_number(a), _number(b))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            a = _evaluate(left, values)
            for comparison, right in zip(ops, rights, strict=True):
                b = _evaluate(right, values)
                if not _compare(comparison, a, b):
                    return False
                a = b
            return True
        case _:
            path = _path(node)
            try:
                return look_up(values, path)
            except KeyError:
                message = f"names {format_path(path)}, which does not exist{_meant(path, values)}"
                raise ExpressionError(message, _place(node)) from None


def _number(value: Any) -> int | float:
    """Arithmetic is for numbers alone: a list times a large one would fill the memory."""
    if not isinstance(value, int | float):
        raise TypeError(f"{show(value)} is not a number")
    return value


def _compare(op: ast.cmpop, a: Any, b: Any) -> bool:
    if isinstance(op, ast.Eq | ast.NotEq) or (isinstance(a, str) and isinstance(b, str)):
        return _COMPARE[type(op)](a, b)
    return _COMPARE[type(op)](_number(a), _number(b))
