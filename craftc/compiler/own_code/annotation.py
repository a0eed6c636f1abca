"""Converts a type annotation to a JSON Schema fragment; an annotation that it cannot read allows anything."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from craftc.compiler.language.value_type import CLASS, COMPONENT, is_component
from craftc.compiler.own_code.python_source import SourceIndex
from craftc.schemas.catalogue import AS_WRITTEN, COMPONENT_OF, WEIGHTS

if TYPE_CHECKING:
    import griffe

JsonSchema = dict[str, Any]

_DEEPEST_ALIAS = 20
_TYPING = ("typing", "typing_extensions")
_ARRAYS = (
    "list", "List", "tuple", "Tuple", "set", "Set", "frozenset", "FrozenSet", "Sequence", "Collection",
    "MutableSequence", "AbstractSet", "MutableSet",
)  # fmt: skip
_OBJECTS = ("dict", "Dict", "Mapping", "MutableMapping")
_PLAIN: dict[str, JsonSchema] = {
    "builtins.int": {"type": "integer"},
    "builtins.float": {"type": "number"},
    "builtins.str": {"type": "string"},
    "builtins.bool": {"type": "boolean"},
    "builtins.object": {},
    "pathlib.Path": {"type": "string", "format": "path", "minLength": 1},
    "os.PathLike": {"type": "string", "format": "path", "minLength": 1},
    **{f"{module}.Any": {} for module in _TYPING},
    # A whole number stays one.
    **{
        f"numbers.{name}": {"anyOf": [{"type": "integer"}, {"type": "number"}]}
        for name in ("Number", "Complex", "Real")
    },
    **{f"numbers.{name}": {"type": "integer"} for name in ("Rational", "Integral")},
    # Plain values are objects of these classes too.
    **{
        f"{module}.{name}": {}
        for module in ("collections.abc", *_TYPING)
        for name in ("Hashable", "Iterable", "Sized", "Container", "Reversible")
    },
}
_GENERIC: dict[str, str] = {
    **{f"{m}.{word}": "array" for m in ("builtins", "collections.abc", *_TYPING) for word in _ARRAYS},
    **{f"{m}.{word}": "object" for m in ("builtins", "collections.abc", *_TYPING) for word in _OBJECTS},
    **{f"{m}.{word}": word for m in _TYPING for word in ("Literal", "Union", "Optional", "Annotated")},
    **{f"{m}.{word}": "same" for m in _TYPING for word in ("Final", "ClassVar", "Required", "NotRequired")},
    "dataclasses.InitVar": "same",
    "builtins.type": "class",
    **{f"{m}.Type": "class" for m in _TYPING},
    **{f"{m}.Callable": "callable" for m in ("collections.abc", *_TYPING)},
}
_KNOWN = {*_PLAIN, *_GENERIC}
_MOST_ANCESTORS = 200
_FAMILIES = {
    # Members of an enumeration, and subclasses of plain types, are often made of what is given.
    "plain": {"enum.Enum", "enum.StrEnum", "enum.IntEnum", "enum.Flag", "enum.IntFlag"}
    | {f"builtins.{name}" for name in ("int", "float", "str", "bool", "bytes", "list", "tuple", "set", "complex")},
    "callable": {"typing.Protocol", "typing_extensions.Protocol"},
    "mapping": {"builtins.dict", "typing.TypedDict", "typing_extensions.TypedDict", "collections.OrderedDict"},
}
"""Classes whose objects a spec may write as plain values."""
_TUPLES = {"builtins.tuple", "typing.Tuple", "typing_extensions.Tuple"}

# Bounds of annotated_types and of pydantic's Field, to the words of JSON Schema.
_NUMBER_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_LENGTH_BOUNDS = {"min_length": "min", "max_length": "max"}
_BOUND_CALLS: dict[str, tuple[str, ...]] = {
    "annotated_types.Ge": ("ge",),
    "annotated_types.Gt": ("gt",),
    "annotated_types.Le": ("le",),
    "annotated_types.Lt": ("lt",),
    "annotated_types.Interval": (),
    "annotated_types.MultipleOf": ("multiple_of",),
    "annotated_types.MinLen": ("min_length",),
    "annotated_types.MaxLen": ("max_length",),
    "annotated_types.Len": ("min_length", "max_length"),
    "pydantic.Field": (),
}


@dataclass(frozen=True)
class Scope:
    """Where a piece of text stands, and so what its names mean."""

    index: SourceIndex
    module: griffe.Module
    depth: int = 0

    def path(self, node: ast.expr) -> str:
        """The absolute dotted path of a name; empty for what is not a name."""
        name = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        return self.index.resolve(self.module, name) if name else ""


def expression(text: str) -> ast.expr:
    """The syntax tree of an expression; that of `...` where the text is none."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return ast.Constant(...)


def read_annotation(text: str, scope: Scope) -> JsonSchema:
    """JSON Schema of an annotation; {} where there is none or it is not understood."""
    return _schema(expression(text), scope)


def is_exact(text: str, scope: Scope) -> bool:
    """Whether a literal is the same when JSON has carried it: no tuple, which would come back as a list."""
    node = expression(text)
    if isinstance(node, ast.Name | ast.Attribute):
        _, found = scope.index.definition(scope.path(node))
        value = _assigned(found, scope)
        return value is not None and is_exact(*value)
    return not any(isinstance(inner, ast.Tuple | ast.Set) for inner in ast.walk(node))


def read_literal(text: str, scope: Scope) -> tuple[bool, Any]:
    """(True, value) of a literal, or of a name that stands for one, in JSON's types; (False, None) otherwise."""
    node = expression(text)
    if isinstance(node, ast.Name | ast.Attribute):
        _, found = scope.index.definition(scope.path(node))
        value = _assigned(found, scope)
        return read_literal(*value) if value else (False, None)
    try:
        return True, _jsonable(ast.literal_eval(node))
    except (ValueError, TypeError):
        return False, None


def has_mark(text: str, scope: Scope, mark: str) -> bool:
    """Whether an annotation is `Annotated` with a text, written out or by the name of a constant."""
    node = expression(text)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return has_mark(node.value, scope, mark)
    if isinstance(node, ast.Name | ast.Attribute):
        _, found = scope.index.definition(scope.path(node), stop_at=_KNOWN)
        value = _assigned(found, scope)
        return value is not None and has_mark(*value, mark)
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return False
    path, _ = scope.index.definition(scope.path(node.value), stop_at=_KNOWN)
    if _GENERIC.get(path) != "Annotated":
        return False
    inner, *marks = (ast.unparse(item) for item in node.slice.elts)
    return (True, mark) in (read_literal(item, scope) for item in marks) or has_mark(inner, scope, mark)


def _schema(node: ast.expr, scope: Scope) -> JsonSchema:
    if isinstance(node, ast.Constant):
        if node.value is None:
            return {"type": "null"}
        return read_annotation(node.value, scope) if isinstance(node.value, str) else {}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _any_of([_schema(node.left, scope), _schema(node.right, scope)])
    if isinstance(node, ast.Name | ast.Attribute):
        return _named(scope.path(node), scope)
    if isinstance(node, ast.Subscript):
        return _generic(node, scope)
    return {}


def _named(path: str, scope: Scope) -> JsonSchema:
    path, found = scope.index.definition(path, stop_at=_KNOWN)
    if path in _PLAIN:
        return dict(_PLAIN[path])
    if path in _GENERIC:
        return {"array": {"type": "array"}, "object": {"type": "object"}, "class": dict(CLASS)}.get(_GENERIC[path], {})
    value = _assigned(found, scope)
    return read_annotation(*value) if value else _of_class(found, scope)


def _of_class(found: griffe.Object | None, scope: Scope) -> JsonSchema:
    """What is annotated with a class takes an object of it, which only a component can be in a spec."""
    import griffe

    if not isinstance(found, griffe.Class):
        return {}
    ancestors = _ancestors(found, scope.index)
    families = {family for family, names in _FAMILIES.items() if ancestors & names}
    if families & {"plain", "callable"}:
        return {}
    return {"type": "object"} if "mapping" in families else dict(COMPONENT)


def _ancestors(found: griffe.Class, index: SourceIndex) -> set[str]:
    """The absolute paths of all classes that a class derives from, as far as they can be read."""
    import griffe

    reached: set[str] = set()
    waiting = [found]
    while waiting and len(reached) < _MOST_ANCESTORS:
        class_ = waiting.pop()
        scope = Scope(index, class_.module)
        for base in class_.bases:
            node = expression(str(base))
            path, inner = index.definition(scope.path(node.value if isinstance(node, ast.Subscript) else node))
            if path not in reached and isinstance(inner, griffe.Class):
                waiting.append(inner)
            reached.add(path)
    return reached


def _assigned(found: griffe.Object | None, scope: Scope) -> tuple[str, Scope] | None:
    """The text that a module-level name stands for, and where it stands; None for anything but a variable or alias."""
    import griffe

    if not isinstance(found, griffe.Attribute | griffe.TypeAlias) or not found.value or scope.depth > _DEEPEST_ALIAS:
        return None
    return str(found.value), Scope(scope.index, found.module, scope.depth + 1)


def _generic(node: ast.Subscript, scope: Scope) -> JsonSchema:
    path, _ = scope.index.definition(scope.path(node.value), stop_at=_KNOWN)
    args = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    read: dict[str, Callable[[], JsonSchema]] = {
        "Literal": lambda: _literal(args, scope),
        "Union": lambda: _any_of([_schema(arg, scope) for arg in args]),
        "Optional": lambda: _any_of([_schema(args[0], scope), {"type": "null"}]),
        "Annotated": lambda: _annotated(args, scope),
        "same": lambda: _schema(args[0], scope),
        "array": lambda: _tuple(args, scope) if path in _TUPLES else _array(_schema(args[0], scope)),
        "object": lambda: _object(_schema(args[-1], scope)),
        "class": lambda: dict(CLASS),
        # What makes an object of a class is that class, or a function.
        "callable": lambda: dict(CLASS) if is_component(_schema(args[-1], scope)) else {},
    }
    return read[_GENERIC[path]]() if path in _GENERIC else {}


def _literal(args: list[ast.expr], scope: Scope) -> JsonSchema:
    values = [read_literal(ast.unparse(arg), scope) for arg in args]
    return {"enum": [value for _, value in values]} if all(known for known, _ in values) else {}


def _array(items: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": items} if items else {"type": "array"}


def _object(values: JsonSchema) -> JsonSchema:
    return {"type": "object", "additionalProperties": values} if values else {"type": "object"}


def _tuple(args: list[ast.expr], scope: Scope) -> JsonSchema:
    if len(args) == 2 and isinstance(args[1], ast.Constant) and args[1].value is Ellipsis:
        return _array(_schema(args[0], scope))
    items = _any_of([_schema(arg, scope) for arg in args])
    return {**_array(items), "minItems": len(args), "maxItems": len(args)}


def _annotated(args: list[ast.expr], scope: Scope) -> JsonSchema:
    schema = _schema(args[0], scope)
    for arg in args[1:]:
        if isinstance(arg, ast.Call):
            schema = _bounded(schema, _bounds(arg, scope))
            continue
        mark = read_literal(ast.unparse(arg), scope)[1]
        if isinstance(mark, str) and mark.startswith(COMPONENT_OF):
            schema = {**COMPONENT, "group": mark.removeprefix(COMPONENT_OF)}
        elif mark == AS_WRITTEN:
            schema = dict(COMPONENT)
        elif mark == WEIGHTS:
            schema = {**schema, "format": WEIGHTS}
    return schema


def _bounds(call: ast.Call, scope: Scope) -> dict[str, Any]:
    """The bounds that a call such as `Ge(1)` or `Interval(ge=0, lt=1)` states, by annotated_types' words."""
    path = scope.path(call.func)
    if path not in _BOUND_CALLS:
        return {}
    stated = [(word, arg) for word, arg in zip(_BOUND_CALLS[path], call.args, strict=False)]
    stated += [(keyword.arg or "", keyword.value) for keyword in call.keywords]
    values = {word: read_literal(ast.unparse(arg), scope)[1] for word, arg in stated}
    return {word: value for word, value in values.items() if isinstance(value, int | float)}


def _bounded(schema: JsonSchema, bounds: dict[str, Any]) -> JsonSchema:
    if "anyOf" in schema:
        return {"anyOf": [_bounded(option, bounds) for option in schema["anyOf"]]}
    kind = schema.get("type")
    words: dict[str, str] = {}
    if kind in ("integer", "number"):
        words = _NUMBER_BOUNDS
    elif kind in ("array", "string"):
        suffix = "Items" if kind == "array" else "Length"
        words = {word: stem + suffix for word, stem in _LENGTH_BOUNDS.items()}
    return {**schema, **{words[word]: value for word, value in bounds.items() if word in words}}


def _any_of(schemas: list[JsonSchema]) -> JsonSchema:
    """One of several schemas: flat, without doubles, literals together; anything where one allows anything."""
    options: list[JsonSchema] = []
    for option in [inner for schema in schemas for inner in schema.get("anyOf", [schema])]:
        if "enum" in option and options and "enum" in options[-1]:
            options[-1] = {"enum": [*options[-1]["enum"], *(v for v in option["enum"] if v not in options[-1]["enum"])]}
        elif option not in options:
            options.append(option)
    if {} in options:
        return {}
    return options[0] if len(options) == 1 else {"anyOf": options}


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _jsonable(item) for key, item in value.items()}
    raise ValueError(f"{value!r} has no counterpart in JSON")
