"""Finds the arguments that calling a class or function takes, from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from craftc.compiler.own_code.annotation import Scope, expression
from craftc.compiler.own_code.function_source import Forwarding, FunctionSource, function_source
from craftc.compiler.own_code.python_source import SourceIndex, lines_of
from craftc.schemas.catalogue import ANY_OTHER, DATA_FACTS, IMAGE_FACTS
from craftc.schemas.diagnostic import Range

if TYPE_CHECKING:
    import griffe

ArgumentKind = Literal["ordinary", "positional", "variadic", "any_other"]
_KINDS: dict[str, ArgumentKind] = {
    "positional-only": "positional",
    "variadic positional": "variadic",
    "variadic keyword": "any_other",
}
DECLARES = "craftc.components.declare.declares"
"""The decorator by which a component says what it takes and gives; it leaves what calling it takes as it is."""
_DEEPEST_FORWARDING = 8
_DEEPEST_BASE = 50

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
    """One argument as written. `scope` says what the names in its annotation and default mean.

    `computed`: whatever the default is, it is not to be given in the component's place.
    """

    name: str
    annotation: str
    default: str | None
    scope: Scope
    kind: ArgumentKind = "ordinary"
    computed: bool = False
    keyword_only: bool = False
    place: Range | None = None


def arguments_of(found: griffe.Class | griffe.Function, index: SourceIndex) -> list[Argument]:
    """What calling a function or building a class takes, in order; inherited where the class has no `__init__`.

    Where `**kwargs` are handed on whole to other classes or functions, what all of them take is taken.
    """
    import griffe

    if isinstance(found, griffe.Class):
        return _of_class(found, index) or []
    bound = found.parent is not None and found.parent.is_class and "staticmethod" not in found.labels
    arguments = _of_function(found, index, bound=bound)
    if not arguments or arguments[-1].name != ANY_OTHER:
        return arguments
    known = {argument.name for argument in arguments}
    facts = (argument for argument in _facts_of_returned(found, index) if argument.name not in known)
    return [*arguments[:-1], *facts, arguments[-1]]


def _facts_of_returned(function: griffe.Function, index: SourceIndex) -> Iterator[Argument]:
    """What the class that a function returns, by its annotation, takes of the data: a factory whose `**kwargs` cannot
    be followed hands that on, too."""
    import griffe

    scope = Scope(index, function.module)
    _, returned = index.definition(scope.path(expression(str(function.returns or ""))), stop_at=_TAKE_NOTHING)
    for argument in (_of_class(returned, index) or []) if isinstance(returned, griffe.Class) else ():
        if argument.name in DATA_FACTS and argument.name not in IMAGE_FACTS and argument.kind == "ordinary":
            yield replace(argument, default=argument.default or "...", computed=True, keyword_only=True)


def _of_function(function: griffe.Function, index: SourceIndex, *, bound: bool, depth: int = 0) -> list[Argument]:
    scope = Scope(index, function.module)
    source = function_source(function)
    arguments = []
    for parameter in list(function.parameters)[1 if bound else 0 :]:
        kind = _KINDS.get(parameter.kind.value if parameter.kind else "", "ordinary")
        name = ANY_OTHER if kind == "any_other" else parameter.name
        default = None if parameter.default is None or kind in ("variadic", "any_other") else str(parameter.default)
        place = source.place(name, index) if source else None
        by_name = parameter.kind is not None and parameter.kind.value == "keyword-only"
        arguments.append(
            Argument(name, str(parameter.annotation or ""), default, scope, kind, keyword_only=by_name, place=place)
        )
    handed_on = _handed_on(function, source, scope, depth) if source and arguments else None
    if handed_on is None or arguments[-1].name != ANY_OTHER:
        return arguments
    own = {argument.name for argument in arguments}
    return [*arguments[:-1], *(argument for argument in handed_on if argument.name not in own - {ANY_OTHER})]


def _handed_on(function: griffe.Function, source: FunctionSource, scope: Scope, depth: int) -> list[Argument] | None:
    """What all callees that are given `**kwargs` take, besides what they are given anyway; None where that cannot be
    told."""
    forwardings = source.forwardings() if depth < _DEEPEST_FORWARDING else None
    if forwardings is None:
        return None
    each = [_taken_by(function, forwarding, scope, depth) for forwarding in forwardings.calls]
    known = [taken for taken in each if taken is not None]
    if len(known) < len(each):
        return None
    popped = [Argument(name, "", "...", scope, computed=True, keyword_only=True) for name in forwardings.taken]
    return [*popped, *_common(known)]


def _common(each: list[list[Argument]]) -> list[Argument]:
    """The arguments that every callee takes, by name or since it takes any; those of the last describe them."""
    found: dict[str, Argument] = {}
    for argument in (argument for taken in reversed(each) for argument in taken):
        if all(any(other.name in (argument.name, ANY_OTHER) for other in taken) for taken in each):
            found.setdefault(argument.name, argument)
    open_end = found.pop(ANY_OTHER, None)
    return [*found.values(), *([open_end] if open_end is not None else [])]


def _taken_by(function: griffe.Function, forwarding: Forwarding, scope: Scope, depth: int) -> list[Argument] | None:
    """What one callee takes besides what it is given anyway."""
    import griffe

    taken: list[Argument] | None
    if forwarding.callee:
        _, found = scope.index.definition(scope.index.resolve(function.module, forwarding.callee))
        if isinstance(found, griffe.Class):
            taken = _of_class(found, scope.index, depth + 1) or []
        elif isinstance(found, griffe.Function) and _is_callable_by_name(found):
            taken = _of_function(found, scope.index, bound="classmethod" in found.labels, depth=depth + 1)
        else:
            return None
    elif isinstance(function.parent, griffe.Class):
        taken = _inherited(function.parent, scope, depth + 1)
    else:
        return None
    if taken is None:
        return None
    by_name = [a for a in taken if a.kind == "ordinary"][forwarding.num_positional :]
    open_end = [a for a in taken if a.kind == "any_other"]
    # What a function hands on it may look at, so that a default given is not the same as one left out.
    handed = [replace(a, computed=True, keyword_only=True) for a in by_name if a.name not in forwarding.given]
    if forwarding.has_more:
        handed = [replace(a, default=a.default or "...") for a in handed]  # *args may give it
    return [*handed, *open_end]


def _is_callable_by_name(function: griffe.Function) -> bool:
    """Whether it is no method that needs an object."""
    in_class = function.parent is not None and function.parent.is_class
    return not in_class or bool({"staticmethod", "classmethod"} & function.labels)


def _of_class(class_: griffe.Class, index: SourceIndex, depth: int = 0) -> list[Argument] | None:
    """Arguments of the class's own or inherited `__init__`, or `__new__`; None where it has none but object's."""
    import griffe

    scope = Scope(index, class_.module)
    own = class_.members.get("__init__") or class_.members.get("__new__")
    if isinstance(own, griffe.Function):
        return _of_function(own, index, bound=True, depth=depth)
    if any(_callee(str(d.value), scope) == "dataclasses.dataclass" for d in class_.decorators):
        return _of_dataclass(class_, scope)
    if not all(is_declaration(expression(str(d.value)), scope) for d in class_.decorators):
        # Which may well have made an `__init__`.
        return [Argument(ANY_OTHER, "", None, scope, "any_other")]
    return _inherited(class_, scope, depth)


def _inherited(class_: griffe.Class, scope: Scope, depth: int) -> list[Argument] | None:
    """Arguments of the first base class that has an `__init__`."""
    for path, base in bases_of(class_, scope.index):
        if path in _TAKE_NOTHING:
            continue
        if base is None or depth > _DEEPEST_BASE:
            return [Argument(ANY_OTHER, "", None, scope, "any_other")]
        inherited = _of_class(base, scope.index, depth + 1)
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
            factory = options.get("default_factory")
            default = options.get("default", factory and f"{factory}()")
        place = member_place(member, scope.index)
        arguments[member.name] = Argument(member.name, str(member.annotation), default, scope, place=place)
    return list(arguments.values())


def member_place(member: griffe.Attribute, index: SourceIndex) -> Range | None:
    """Where the name of an attribute stands."""
    file = member.filepath
    if not isinstance(file, Path) or member.lineno is None:
        return None
    line = lines_of(file)[member.lineno - 1]
    return index.place(file, member.lineno, line.index(member.name) + 1 if member.name in line else 1, len(member.name))


def bases_of(class_: griffe.Class, index: SourceIndex) -> Iterator[tuple[str, griffe.Class | None]]:
    """The absolute path of each base class, and the class itself where its source is within reach."""
    import griffe

    scope = Scope(index, class_.module)
    for base in class_.bases:
        node = expression(str(base))
        name = node.value if isinstance(node, ast.Subscript) else node
        path, found = index.definition(scope.path(name), stop_at=_TAKE_NOTHING)
        yield path, found if isinstance(found, griffe.Class) and found is not class_ else None


def is_declaration(decorator: ast.expr, scope: Scope) -> bool:
    """Whether a decorator is `declares(...)`; by another name only where the module itself imports it so, since the
    decorators of other packages are not worth reading those for."""
    if not isinstance(decorator, ast.Call):
        return False
    path = scope.path(decorator.func)
    if path != DECLARES and path.endswith(".declares"):
        path, _ = scope.index.definition(path, stop_at=(DECLARES,))
    return path == DECLARES


def _callee(text: str, scope: Scope) -> str:
    """The absolute path of the name in `name` or `name(...)`."""
    node = expression(text)
    return scope.path(node.func if isinstance(node, ast.Call) else node)


def _keywords(text: str) -> dict[str, str]:
    node = expression(text)
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return {keyword.arg: ast.unparse(keyword.value) for keyword in keywords if keyword.arg}
