"""Builds the object that a spec names as a component; its module is imported only now."""

import inspect
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from craftc.components.bounds import MODEL
from craftc.components.registry import REGISTRY
from craftc.schemas.catalogue import is_nested, is_own


def target_of(group: str, kind: str) -> str:
    """`package.module:Name` of a built-in name; a `kind` that already is one stays as it is.

    Raises:
        LookupError: `kind` is neither.
    """
    if is_own(kind):
        return kind
    if kind not in REGISTRY[group]:
        raise LookupError(f'no component "{kind}" among {group}; there are {", ".join(REGISTRY[group])}')
    return REGISTRY[group][kind]


def load_component(group: str, kind: str) -> Any:
    """The class or function that `kind` names, imported."""
    module, _, name = target_of(group, kind).partition(":")
    component: Any = import_module(module)
    for part in name.split("."):
        component = getattr(component, part)
    return component


def build(group: str, component: Mapping[str, Any], *offered: Any) -> Any:
    """Call the component that `component["kind"]` names.

    An argument that is itself a component, or a list of them, is built first, but for one whose annotation asks for a
    model as it is written. Text becomes a Path, and a list a tuple or a set, where the annotation says so.

    Args:
        group: A key of the registry.
        component: `kind` and its keyword arguments.
        offered: What craftc hands over by position, see OFFERED.

    Raises:
        LookupError: No such kind. Whatever the component itself raises passes through.
    """
    target = load_component(group, component["kind"])
    parameters = _parameters(target)
    return target(*offered[: _num_taken(group, parameters)], **_arguments(component, parameters))


def _arguments(component: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    return {
        name: _argument(value, parameters[name].annotation) if name in parameters else _built(value)
        for name, value in component.items()
        if name != "kind"
    }


def _argument(value: Any, annotation: Any) -> Any:
    if get_origin(annotation) is Annotated and MODEL in get_args(annotation):
        return value
    return _fitted(_built(value), annotation)


def _built(value: Any) -> Any:
    """A value with every component in it built."""
    if isinstance(value, list):
        return [_built(item) for item in value]
    if is_nested(value):
        # Named by its place in Python, so whatever its group.
        target = load_component("models", value["kind"])
        return target(**_arguments(value, _parameters(target)))
    return {key: _built(item) for key, item in value.items()} if isinstance(value, dict) else value


def _num_taken(group: str, parameters: Mapping[str, inspect.Parameter]) -> int:
    """How many of the things that are offered a component takes."""
    num_positional = sum(parameter.kind is parameter.POSITIONAL_ONLY for parameter in parameters.values())
    return max(num_positional, 1) if group == "optimizers" else num_positional


@lru_cache(maxsize=256)
def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    """Of a class or function; none where it does not tell. Kept, since a job builds the same for each of its trials."""
    try:
        return inspect.signature(target, eval_str=True).parameters
    except Exception:
        # To evaluate an annotation runs what stands there, and that may name what is only imported for type checking.
        try:
            return inspect.signature(target).parameters
        except (TypeError, ValueError):
            return {}


def _fitted(value: Any, annotation: Any) -> Any:
    """A value of YAML as the nearest of the types that an annotation allows."""
    wanted = _types(annotation)
    if isinstance(value, str) and value in _words(annotation):
        return value
    if isinstance(value, str) and Path in wanted and str not in wanted:
        return Path(value)
    if isinstance(value, list) and list not in wanted:
        for type_ in (tuple, set, frozenset):
            if type_ in wanted:
                return type_(value)
    return value


def _words(annotation: Any) -> tuple[Any, ...]:
    """The literals that an annotation allows beside its types: none for `Path | Literal["none"]`."""
    if get_origin(annotation) in (Union, UnionType):
        return tuple(word for part in get_args(annotation) for word in _words(part))
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _types(annotation: Any) -> set[Any]:
    """The types that an annotation names, without what they contain: {Path, tuple} for `Path | tuple[int, int]`."""
    if isinstance(annotation, str):  # it could not be evaluated
        return {Path} if annotation in ("Path", "pathlib.Path") else set()
    origin = get_origin(annotation)
    if origin is Annotated:
        return _types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return {found for part in get_args(annotation) for found in _types(part)}
    return {origin or annotation}
