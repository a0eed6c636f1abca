"""Builds the object that a spec names as a component; its module is imported only now."""

import inspect
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from craftc.components.bounds import AS_WRITTEN, MODEL
from craftc.components.registry import REGISTRY
from craftc.components.torchvision_operators import expect_torchvision
from craftc.schemas.catalogue import AS, is_class, is_nested, is_own


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
    expect_torchvision()
    component: Any = import_module(module)
    for part in name.split("."):
        component = getattr(component, part)
    return component


def build(group: str, component: Mapping[str, Any], *offered: Any) -> Any:
    """Call the component that `component["kind"]` names.

    An argument that is itself a component, or a list of them, is built first, but for one whose annotation asks for it
    as it is written, and one that says `as: class`. Text becomes a Path, and a list a tuple or a set, where the
    annotation or the default says so, in lists and mappings too.

    Args:
        group: A key of the registry.
        component: `kind` and its keyword arguments.
        offered: What craftc hands over by position, see OFFERED.

    Raises:
        LookupError: No such kind. Whatever the component itself raises passes through.
    """
    target = load_component(group, component["kind"])
    parameters = parameters_of(target)
    return target(*offered[: _num_taken(group, parameters)], **built_arguments(component, parameters))


def built_arguments(component: Mapping[str, Any], parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """The keyword arguments of a component, built as `build` does; `parameters` are those of what it names."""
    return {
        name: _argument(value, parameters[name]) if name in parameters else _built(value)
        for name, value in component.items()
        if name not in ("kind", AS)
    }


def _argument(value: Any, parameter: inspect.Parameter) -> Any:
    annotation = parameter.annotation
    if _stays_written(annotation):
        return value
    fitted = _fitted(_built(value), annotation)
    is_tuple = annotation is parameter.empty and isinstance(parameter.default, tuple)
    return tuple(fitted) if is_tuple and isinstance(fitted, list) else fitted


def build_written(component: Mapping[str, Any], **further: Any) -> Any:
    """The object of a component that was handed over as it is written; `further` arguments hold where it has none."""
    return _built({**further, **component})


def _stays_written(annotation: Any) -> bool:
    """Whether an argument takes a component unbuilt; of a union, whether one of its types does."""
    if get_origin(annotation) in (Union, UnionType):
        return any(_stays_written(part) for part in get_args(annotation))
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return any(mark in (MODEL, AS_WRITTEN) for mark in marks)


def _built(value: Any) -> Any:
    """A value with every component in it built."""
    if isinstance(value, list):
        return [_built(item) for item in value]
    if is_nested(value):
        # Named by its place in Python, so whatever its group.
        target = load_component("models", value["kind"])
        arguments = built_arguments(value, parameters_of(target))
        if is_class(value):
            return partial(target, **arguments) if arguments else target
        return target(**arguments)
    return {key: _built(item) for key, item in value.items()} if isinstance(value, dict) else value


def _num_taken(group: str, parameters: Mapping[str, inspect.Parameter]) -> int:
    """How many of the things that are offered a component takes."""
    num_positional = sum(parameter.kind is parameter.POSITIONAL_ONLY for parameter in parameters.values())
    return max(num_positional, 1) if group == "optimizers" else num_positional


@lru_cache(maxsize=256)
def parameters_of(target: Any) -> Mapping[str, inspect.Parameter]:
    """Of a class or function; none where it does not tell. Kept, since a job builds the same for each of its trials."""
    try:
        return inspect.signature(target, eval_str=True).parameters
    except Exception:
        # To evaluate an annotation runs what stands there, and that may name what is only imported for type checking.
        try:
            parameters = inspect.signature(target).parameters
        except (TypeError, ValueError):
            return {}
    names = _names_around(target)
    return {name: each.replace(annotation=_evaluated(each.annotation, names)) for name, each in parameters.items()}


def _names_around(target: Any) -> dict[str, Any]:
    """What the annotations of a class or function may name."""
    function = inspect.unwrap(getattr(target, "__init__", target) if isinstance(target, type) else target)
    return dict(getattr(function, "__globals__", {}))


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """What an annotation says, where it can be evaluated by itself."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)
    except Exception:
        return annotation


def _fitted(value: Any, annotation: Any) -> Any:
    """A value of YAML as the nearest of the types that an annotation allows."""
    wanted = _types(annotation)
    if isinstance(value, str) and value in _words(annotation):
        return value
    if isinstance(value, str) and Path in wanted and str not in wanted:
        return Path(value)
    if isinstance(value, list):
        return _fitted_list(value, annotation, wanted)
    if isinstance(value, dict):
        inner = [args[-1] for part in _parts(annotation) if (args := get_args(part)) and len(args) == 2]
        return {key: _fitted(item, inner[0]) for key, item in value.items()} if inner else value
    return value


def _fitted_list(value: list[Any], annotation: Any, wanted: set[Any]) -> Any:
    """The list, tuple or set that an annotation allows, its items fitted alike."""
    for part in _parts(annotation):
        of, inner = get_origin(part), get_args(part)
        if of is tuple and inner and inner[-1] is not Ellipsis:
            value = [_fitted(item, kind) for item, kind in zip(value, inner, strict=False)] + value[len(inner) :]
        elif inner and isinstance(of, type) and issubclass(of, Iterable) and not issubclass(of, Mapping):
            value = [_fitted(item, inner[0]) for item in value]
        else:
            continue
        break
    if list not in wanted:
        for type_ in (tuple, set, frozenset):
            if type_ in wanted:
                return type_(value)
    return value


def _parts(annotation: Any) -> list[Any]:
    """The types that an annotation names, with what they contain."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [found for part in get_args(annotation) for found in _parts(part)]
    return [annotation]


_BY_NAME = {"path": Path, "tuple": tuple, "list": list, "sequence": list, "set": set, "str": str}
"""Types by the last word of an annotation that cannot be evaluated."""


def _words(annotation: Any) -> tuple[Any, ...]:
    """The literals that an annotation allows beside its types: none for `Path | Literal["none"]`."""
    if get_origin(annotation) in (Union, UnionType):
        return tuple(word for part in get_args(annotation) for word in _words(part))
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _types(annotation: Any) -> set[Any]:
    """The types that an annotation names, without what they contain: {Path, tuple} for `Path | tuple[int, int]`."""
    if isinstance(annotation, str):  # it could not be evaluated
        words = {part.partition("[")[0].strip().rpartition(".")[2].lower() for part in annotation.split("|")}
        return {type_ for word, type_ in _BY_NAME.items() if word in words}
    origin = get_origin(annotation)
    if origin is Annotated:
        return _types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return {found for part in get_args(annotation) for found in _types(part)}
    return {origin or annotation}
