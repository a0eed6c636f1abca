"""A class or function, read from source -> the arguments that calling it takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from craftc.compiler.annotation import Scope, expression
from craftc.compiler.python_source import SourceIndex

if TYPE_CHECKING:
    import griffe

# Stands for `**kwargs` in an entry: any further argument of that type is accepted.
ANY_OTHER = "**"

_TAKE_NOTHING = {
    "builtins.object",
    "abc.ABC",
    "typing.Generic",
    "typing.Protocol",
    "torch.nn.Module",
    "torch.nn.modules.module.Module",
}


@dataclass(frozen=True)
class Argument:
    """One argument as written. `scope` says what the names in its annotation and default mean."""

    name: str
    annotation: str
    default: str | None
    scope: Scope
    kind: Literal["ordinary", "injected", "any_other"] = "ordinary"


def arguments_of(found: griffe.Class | griffe.Function, index: SourceIndex) -> list[Argument]:
    """What calling a function or building a class takes, in order; inherited where the class has no `__init__`."""
    import griffe

    if isinstance(found, griffe.Class):
        return _of_class(found, index) or []
    bound = found.parent is not None and found.parent.is_class and "staticmethod" not in found.labels
    return _of_function(found, index, bound=bound)


def _of_function(function: griffe.Function, index: SourceIndex, *, bound: bool) -> list[Argument]:
    scope = Scope(index, function.module)
    kinds: dict[str, Literal["ordinary", "injected", "any_other"]] = {
        "positional-only": "injected",
        "variadic positional": "injected",
        "variadic keyword": "any_other",
    }
    arguments = []
    for parameter in list(function.parameters)[1 if bound else 0 :]:
        kind = kinds.get(parameter.kind.value if parameter.kind else "", "ordinary")
        name = ANY_OTHER if kind == "any_other" else parameter.name
        default = None if parameter.default is None or kind != "ordinary" else str(parameter.default)
        arguments.append(Argument(name, str(parameter.annotation or ""), default, scope, kind))
    return arguments


def _of_class(class_: griffe.Class, index: SourceIndex) -> list[Argument] | None:
    """Arguments of the class's own or inherited `__init__`; None where it has none but object's."""
    import griffe

    scope = Scope(index, class_.module)
    own = class_.members.get("__init__")
    if isinstance(own, griffe.Function):
        return _of_function(own, index, bound=True)
    if any(_callee(str(d.value), scope) == "dataclasses.dataclass" for d in class_.decorators):
        return _of_dataclass(class_, scope)
    for path, base in bases_of(class_, index):
        if path in _TAKE_NOTHING:
            continue
        if base is None:
            return [Argument(ANY_OTHER, "", None, scope, "any_other")]
        inherited = _of_class(base, index)
        if inherited is not None:
            return inherited
    return None


def _of_dataclass(class_: griffe.Class, scope: Scope) -> list[Argument]:
    import griffe

    arguments: dict[str, Argument] = {}
    for _, base in reversed(list(bases_of(class_, scope.index))):
        for argument in (_of_class(base, scope.index) or []) if base else []:
            arguments[argument.name] = argument
    for member in class_.members.values():
        # griffe labels a ClassVar as a class attribute alone, and a property as a property.
        if not isinstance(member, griffe.Attribute) or "instance-attribute" not in member.labels:
            continue
        if member.annotation is None or _callee(str(member.annotation), scope) == "dataclasses.KW_ONLY":
            continue
        default = None if member.value is None else str(member.value)
        if default is not None and _callee(default, scope) == "dataclasses.field":
            options = _keywords(default)
            if options.get("init") == "False":
                continue
            default = options.get("default", options.get("default_factory"))
        arguments[member.name] = Argument(member.name, str(member.annotation), default, scope)
    return list(arguments.values())


def bases_of(class_: griffe.Class, index: SourceIndex) -> Iterator[tuple[str, griffe.Class | None]]:
    """The absolute path of each base class, and the class itself where its source is within reach."""
    import griffe

    scope = Scope(index, class_.module)
    for base in class_.bases:
        node = expression(str(base))
        name = node.value if isinstance(node, ast.Subscript) else node
        path, found = index.definition(scope.path(name), stop_at=_TAKE_NOTHING)
        yield path, found if isinstance(found, griffe.Class) and found is not class_ else None


def _callee(text: str, scope: Scope) -> str:
    """The absolute path of the name in `name` or `name(...)`."""
    node = expression(text)
    return scope.path(node.func if isinstance(node, ast.Call) else node)


def _keywords(text: str) -> dict[str, str]:
    node = expression(text)
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return {keyword.arg: ast.unparse(keyword.value) for keyword in keywords if keyword.arg}
