"""`package.module:Name` -> what a spec may write beside that `kind`, read from the source without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from craftc.compiler.annotation import Scope, read_annotation, read_literal
from craftc.compiler.constructor import ANY_OTHER, Argument, arguments_of, bases_of
from craftc.compiler.python_source import SourceError, SourceIndex
from craftc.schemas.catalogue import ComponentEntry, Group, Parameter

if TYPE_CHECKING:
    import griffe

__all__ = ["ANY_OTHER", "DATA_FACTS", "TargetError", "read_component"]

# Arguments of a model that the data decides; a spec may leave them to be inferred.
DATA_FACTS = ("num_classes", "num_lines", "line_length", "num_features")


class TargetError(LookupError):
    """A target that does not exist or cannot be read. `hint` says what might mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_component(group: Group, kind: str, target: str, search_paths: Sequence[Path] = ()) -> ComponentEntry:
    """Describe a class or function by its signature and docstring.

    Positional-only parameters are craftc's to fill and left out. `**kwargs` becomes a parameter named `ANY_OTHER`. An
    `__init__` may be inherited, a dataclass needs none. A default that is not a literal is None in the entry.

    Args:
        group: Group that the component is named in.
        kind: What the spec calls it.
        target: `package.module:Name`; the name may be dotted.
        search_paths: Folders that are searched before `sys.path`.

    Raises:
        TargetError: No such module, no such name in it, not Python, or neither a class nor a function.
    """
    index = SourceIndex(search_paths)
    try:
        found = _find(target, index)
        arguments = arguments_of(found, index)
        docs = _docstrings(found)
    except SourceError as error:
        raise TargetError(f'"{target}": {error}', "mend the file") from error
    described = _argument_docs(docs)
    summary, doc = _texts(docs)
    return ComponentEntry(
        group=group,
        kind=kind,
        target=target,
        summary=summary,
        doc=doc,
        parameters=tuple(_parameter(group, a, described.get(a.name, "")) for a in arguments if a.kind != "injected"),
        constraints=_constraints(found, index),
        mode=_mode(found, index) if group == "metrics" else None,
        depends_on_length=_depends_on_length(found, index) if group == "schedules" else None,
    )


def _find(target: str, index: SourceIndex) -> griffe.Class | griffe.Function:
    import griffe

    module_name, colon, name = target.partition(":")
    if not colon or not all(part.isidentifier() for part in [*module_name.split("."), *name.split(".")]):
        raise TargetError(f'"{target}" is not of the form package.module:Name')
    module = index.module(module_name)
    if module is None:
        raise TargetError(f'no source of a module "{module_name}" on the import path', "is it installed, or misspelt?")
    path, found = index.definition(f"{module_name}.{name}")
    if found is None and path != f"{module_name}.{name}":
        raise TargetError(f'"{target}" leads to {path}, whose source cannot be found')
    if found is None:
        close = get_close_matches(name, [member for member in module.members if member.isidentifier()], n=1)
        raise TargetError(f'module "{module_name}" has no "{name}"', f'did you mean "{close[0]}"?' if close else "")
    if isinstance(found, griffe.Class | griffe.Function):
        return found
    raise TargetError(f'"{target}" is neither a class nor a function')


def _parameter(group: Group, argument: Argument, doc: str) -> Parameter:
    schema = read_annotation(argument.annotation, argument.scope)
    default: Any = None
    required = argument.default is None and argument.kind == "ordinary"
    if argument.default is not None:
        _, default = read_literal(argument.default, argument.scope)
    if group == "models" and argument.name in DATA_FACTS:
        options = schema.get("anyOf", [schema] if schema else [])
        schema, required, default = {"anyOf": [*options, {"const": "infer"}]}, False, "infer"
    return Parameter(name=argument.name, type=schema, required=required, default=default, doc=doc)


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


def _mode(found: griffe.Class | griffe.Function, index: SourceIndex) -> Literal["min", "max"] | None:
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
