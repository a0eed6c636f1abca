"""Reads what a spec may write beside `kind: package.module:Name` from the source, without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from craftc.compiler.language.value_type import checker, options
from craftc.compiler.own_code.annotation import JsonSchema, Scope, has_mark, is_exact, read_annotation, read_literal
from craftc.compiler.own_code.constructor import Argument, arguments_of, bases_of
from craftc.compiler.own_code.declarations import read_declarations
from craftc.compiler.own_code.frameworks import ignored_methods
from craftc.compiler.own_code.program_function import run_argument
from craftc.compiler.own_code.python_source import SourceError, SourceIndex
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import did_you_mean, one_of, show
from craftc.schemas.catalogue import (
    CARDINALITIES,
    DATA_FACTS,
    FROM_ENVIRONMENT,
    IMAGE_FACTS,
    NESTED,
    PER_TRIAL,
    TARGET_KIND,
    TARGET_KINDS,
    ComponentEntry,
    Group,
    Parameter,
)
from craftc.schemas.diagnostic import Related
from craftc.schemas.fit import Violation

if TYPE_CHECKING:
    import griffe

MAKES = "name a class or a function that makes the component"
"""What mends a kind that cannot be called."""
_TAKE_FACTS = ("models", "objectives", "metrics")


class TargetError(LookupError):
    """A target that does not exist or cannot be read. `hint` says what might mend it, `related` where."""

    def __init__(self, message: str, hint: str = "", related: tuple[Related, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.related = related


@dataclass(frozen=True)
class Component:
    """A class or function that a kind names, and what calling it takes."""

    target: str
    found: griffe.Class | griffe.Function
    index: SourceIndex
    arguments: tuple[Argument, ...]


def read_component(group: Group, kind: str, target: str, search_paths: Sequence[Path] = ()) -> ComponentEntry:
    """Describe a class or function by its signature and docstring.

    Positional-only parameters are craftc's to fill and left out. `**kwargs` becomes a parameter named `ANY_OTHER`. An
    `__init__` may be inherited, a dataclass needs none. A default that is not a literal is None in the entry.

    Args:
        group: Group that the component is named in.
        kind: What the spec calls it.
        target: `package.module:Name`; the name may be dotted.
        search_paths: Folders that are searched before what is installed.

    Raises:
        TargetError: No such module, no such name in it, not Python, or neither a class nor a function.
    """
    return describe_component(find_component(target, SourceIndex(search_paths)), group, kind)


def find_component(target: str, index: SourceIndex) -> Component:
    """The class or function that a target names. Raises TargetError."""
    try:
        found = _find(target, index)
        return Component(target, found, index, tuple(arguments_of(found, index)))
    except SourceError as error:
        related = Related(message=error.message, range=index.place(error.file, error.line, error.column))
        raise TargetError(
            f"{show(target)} stands in what cannot be read as Python", "mend the file", (related,)
        ) from error


def describe_component(component: Component, group: Group | Literal["nested"], kind: str) -> ComponentEntry:
    """The entry of a component in a group. Raises DeclarationError."""
    found, index = component.found, component.index
    docs = _docstrings(found)
    described = _argument_docs(docs)
    summary, doc = _texts(docs)
    arguments = [a for a in component.arguments if a.kind in ("ordinary", "any_other")]
    if group == "optimizers" and not any(a.kind == "positional" for a in component.arguments):
        arguments = [a for a in arguments if a is not component.arguments[0]]
    if group == "programs":
        run = run_argument(component.arguments)
        arguments = [a for a in arguments if a is not run]
    parameters = tuple(_parameter(group, a, described.get(a.name, "")) for a in arguments)
    return ComponentEntry(
        group=group,
        kind=kind,
        target=component.target,
        summary=summary,
        doc=doc,
        parameters=parameters,
        constraints=_constraints(found, index),
        mode=mode_of(found, index) if group == "metrics" else None,
        depends_on_length=_depends_on_length(found, index) if group in ("schedules", "values") else None,
        ignored=ignored_methods(found, index) if group == "models" else (),
        by_position=_by_position(component) if group == NESTED else (),
        defined_at=index.name_of(found),
        **({} if group == NESTED else read_declarations(found, group, parameters, index)),
    )


def _by_position(component: Component) -> tuple[str, ...]:
    return tuple(a.name for a in component.arguments if a.kind == "ordinary" and not a.keyword_only)


def _find(target: str, index: SourceIndex) -> griffe.Class | griffe.Function:
    module_name, colon, name = target.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module_name.split("."), *name.split(".")]):
        raise TargetError(f"{show(target)} is not of the form package.module:Name")
    if (hidden := index.hidden(module_name)) is not None:
        own = f"Python has a {show(module_name.partition('.')[0])} of its own"
        message = f"module {show(module_name)} is never imported from {index.shown(hidden)}: {own}"
        raise TargetError(message, "give yours another name")
    module = index.module(module_name)
    if module is None:
        raise _no_module(module_name, index)
    path, found = index.definition(f"{module_name}.{name}")
    if found is None and path != f"{module_name}.{name}":
        raise TargetError(f"{show(target)} leads to {path}, whose source cannot be found")
    if found is None:
        hint, read = (
            did_you_mean(name, index.names_in(module)) or "",
            _related("the module that was read", module.filepath, 1, index),
        )
        raise TargetError(f"module {show(module_name)} has no {show(name)}", hint, read)
    return _callable(target, found, index)


def _callable(target: str, found: griffe.Object, index: SourceIndex) -> griffe.Class | griffe.Function:
    """What can be called as it stands."""
    import griffe

    if isinstance(found, griffe.Class):
        return found
    if isinstance(found, griffe.Function):
        in_class = found.parent is not None and found.parent.is_class
        if not in_class or {"staticmethod", "classmethod"} & found.labels:
            return found
    if isinstance(found, griffe.Function):
        name = index.name_of(found)
        defined = () if name is None else (Related(message="defined here", range=name),)
        raise TargetError(f"{show(target)} is a method, which needs an object", MAKES, defined)
    place = _related("defined here", found.filepath, found.lineno, index)
    raise TargetError(f"{show(target)} is neither a class nor a function", MAKES, place)


def _related(message: str, file: object, line: int | None, index: SourceIndex) -> tuple[Related, ...]:
    """Nothing where griffe does not know the place."""
    if not isinstance(file, Path) or line is None:
        return ()
    return (Related(message=message, range=index.place(file, line)),)


def _no_module(name: str, index: SourceIndex) -> TargetError:
    """Which of its parts is missing, where it was looked for, and what is near."""
    if index.is_elsewhere(name):
        return TargetError(
            f"no source of a module {show(name)} on the import path", "only what is written in Python can be read"
        )
    known, hint = "", "is it installed, or misspelt?"
    for part in name.split("."):
        beside = index.submodules(known)
        if part not in beside:
            near = nearest(part, beside)
            hint = hint if near is None else f'did you mean "{known}{near}"?'
            break
        known += f"{part}."
    folders = one_of([index.shown(folder) for folder in index.search_paths] + ["what is installed"])
    return TargetError(f"no source of a module {show(name)} in {folders}", hint)


def _parameter(group: str, argument: Argument, doc: str) -> Parameter:
    schema = read_annotation(argument.annotation, argument.scope)
    default: Any = None
    is_known, computed = True, argument.computed
    required = argument.default is None and argument.kind == "ordinary"
    if argument.default is not None:
        is_known, default = read_literal(argument.default, argument.scope)
        if argument.default == "None" and schema and {"type": "null"} not in schema.get("anyOf", [schema]):
            schema = {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}  # optional in all but name
        computed = computed or not is_known or not is_exact(argument.default, argument.scope)
    if group in _TAKE_FACTS and _is_fact(argument.name, schema, required):
        number: JsonSchema = {"type": "integer"}
        unsaid: JsonSchema = {"type": "array", "items": number} if argument.name == CARDINALITIES else number
        unsaid = {"enum": list(TARGET_KINDS)} if argument.name == TARGET_KIND else unsaid
        allowed = schema.get("anyOf", [schema or unsaid])
        is_open = schema == {} and argument.name in IMAGE_FACTS  # a height and a width, perhaps
        schema, required, default, computed = {"anyOf": [*allowed, {"const": "infer"}]}, False, "infer", False
        schema = {} if is_open else schema
    return Parameter(
        name=argument.name,
        type=schema,
        required=required,
        default=default if required or computed else _as_written(default, schema),
        computed=computed,
        doc=doc,
        per_trial=has_mark(argument.annotation, argument.scope, PER_TRIAL),
        from_environment=group == "trackers" and has_mark(argument.annotation, argument.scope, FROM_ENVIRONMENT),
        defined_at=argument.place,
    )


def _is_fact(name: str, schema: dict[str, Any], required: bool) -> bool:
    """Whether an argument is one that the data decides. What is called like a fact of an image may be anything, so one
    that has a default, or takes no number, stays as it is."""
    if name in IMAGE_FACTS:
        return required and any(part == {} or part.get("type") == "integer" for part in options(schema))
    return name in DATA_FACTS


def _as_written(default: Any, schema: dict[str, Any]) -> Any:
    """A default as it comes out of a spec that writes it: 1 of a float argument is 1.0. One that does not fit its own
    annotation stays as it is."""
    violations: list[Violation] = []
    fitted = checker(schema)(default, (), violations)
    return default if violations else fitted


def _class_literal(found: griffe.Class | griffe.Function, name: str, index: SourceIndex) -> Any:
    """A literal assigned in the body of a class or of one it derives from; None where there is none."""
    import griffe

    if not isinstance(found, griffe.Class):
        return None
    member = found.members.get(name)
    if isinstance(member, griffe.Attribute) and "class-attribute" in member.labels:
        return read_literal(str(member.value), Scope(index, found.module))[1]
    for _, base in bases_of(found, index):
        if base is not None and (value := _class_literal(base, name, index)) is not None:
            return value
    return None


def _constraints(found: griffe.Class | griffe.Function, index: SourceIndex) -> tuple[str, ...]:
    value = _class_literal(found, "constraints", index)
    return tuple(value) if isinstance(value, list) and all(isinstance(text, str) for text in value) else ()


def mode_of(found: griffe.Class | griffe.Function, index: SourceIndex) -> Literal["min", "max"] | None:
    """The better direction that the class of a metric states."""
    mode = _class_literal(found, "mode", index)
    if mode in ("min", "max"):
        return "min" if mode == "min" else "max"
    higher_is_better = _class_literal(found, "higher_is_better", index)
    return None if higher_is_better is None else "max" if higher_is_better else "min"


def _depends_on_length(found: griffe.Class | griffe.Function, index: SourceIndex) -> bool | None:
    value = _class_literal(found, "depends_on_length", index)
    return value if isinstance(value, bool) else None


def _docstrings(found: griffe.Object) -> list[griffe.Docstring]:
    init = found.members.get("__init__")
    return [owner.docstring for owner in (found, init) if owner is not None and owner.docstring is not None]


def _argument_docs(docstrings: Iterable[griffe.Docstring]) -> dict[str, str]:
    docs: dict[str, str] = {}
    for docstring in docstrings:
        for section in docstring.parse("google", warnings=False):
            if section.kind.value in ("parameters", "other parameters", "keyword arguments"):
                docs.update({item.name.lstrip("*"): " ".join(item.description.split()) for item in section.value})
    return docs


def _texts(docstrings: Sequence[griffe.Docstring]) -> tuple[str, str]:
    """The first paragraph, and the further ones, each on one line."""
    sections = docstrings[0].parse("google", warnings=False) if docstrings else []
    text = "\n\n".join(str(section.value) for section in sections if section.kind.value == "text")
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    return paragraphs[0], "\n\n".join(paragraphs[1:])
