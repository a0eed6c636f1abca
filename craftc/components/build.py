"""A component as a spec names it -> the object, imported only now."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from craftc.components.registry import REGISTRY


def target_of(group: str, kind: str) -> str:
    """`package.module:Name` of a built-in name; a `kind` that already is one stays as it is.

    Raises:
        LookupError: `kind` is neither.
    """
    if ":" in kind:
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


def build(group: str, component: Mapping[str, Any], *injected: Any) -> Any:
    """Call the component that `component["kind"]` names.

    Args:
        group: A key of the registry.
        component: `kind` and its keyword arguments.
        injected: What craftc hands over by position: an optimizer's parameters, an objective's class counts.

    Raises:
        LookupError: No such kind. Whatever the component itself raises passes through.
    """
    args = {key: value for key, value in component.items() if key != "kind"}
    return load_component(group, component["kind"])(*injected, **args)
