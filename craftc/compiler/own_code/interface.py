"""Checks whether craftc could use a component in the group that it is named in, as far as its source shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from craftc.compiler.own_code.constructor import bases_of
from craftc.schemas.catalogue import OFFERED, Group

if TYPE_CHECKING:
    import griffe

    from craftc.compiler.own_code.python_source import SourceIndex
    from craftc.compiler.own_code.signature import Component

SINGULAR: dict[Group, str] = {
    "sources": "a source",
    "normalizers": "a normalizer",
    "augmentations": "an augmentation",
    "models": "a model",
    "objectives": "an objective",
    "metrics": "a metric",
    "optimizers": "an optimizer",
    "schedules": "a schedule",
    "samplers": "a sampler",
    "pruners": "a pruner",
    "trackers": "a tracker",
}
_BUILT_IN_ONLY = ("samplers", "pruners")
_METHODS: dict[str, tuple[str, ...]] = {
    "normalizers": ("fit",),
    "metrics": ("update", "compute"),
    "optimizers": ("step",),
    "schedules": ("lr",),
    "trackers": ("start", "event", "close"),
}
"""What craftc calls of the objects of a group, besides calling them."""
_MODULES = {"torch.nn.Module", "torch.nn.modules.module.Module"}


def interface_problem(component: Component, group: Group) -> str | None:
    """Why a component cannot be of a group, in words that follow its name; None where nothing speaks against it."""
    if group in _BUILT_IN_ONLY:
        return f"cannot be {SINGULAR[group]}: {group} are built-in ones only"
    return _not_callable(component, group) or _not_of_kind(component, group)


def _not_callable(component: Component, group: Group) -> str | None:
    """Whether craftc can give it all that it must have by position."""
    by_position = [a for a in component.arguments if a.kind == "positional"]
    first = component.arguments[0] if component.arguments else None
    if group == "optimizers" and (first is None or first.keyword_only or first.kind == "any_other"):
        return "takes no model's parameters: an optimizer's first argument is theirs, given by position"
    needed = [argument.name for argument in by_position if argument.default is None]
    offered = OFFERED[group]
    if len(needed) > len(offered):
        hands = f"hands {SINGULAR[group]} {', '.join(offered)} alone" if offered else f"hands {SINGULAR[group]} nothing"
        return f"needs {', '.join(needed)} by position, and craftc {hands} so"
    return None


def _not_of_kind(component: Component, group: Group) -> str | None:
    """Whether a class has what craftc uses; one that derives from what cannot be read may have anything."""
    import griffe

    if not isinstance(component.found, griffe.Class):
        return None
    family = list(_family(component.found, component.index))
    if group == "models":
        if all(base is not None and path not in _MODULES for path, base in family):
            return "is no torch.nn.Module, so it cannot be a model"
        return None
    if any(base is None for _, base in family):
        return None
    for method in _METHODS.get(group, ()):
        if not any(base is not None and method in base.members for _, base in family):
            return f"has no {method}(), so it cannot be {SINGULAR[group]}"
    return _asks_for_more(family) if group == "optimizers" else None


def _asks_for_more(family: Iterable[tuple[str, griffe.Class | None]]) -> str | None:
    """Whether an optimizer's step cannot be called as it is, as that of LBFGS."""
    import griffe

    steps = (base.members.get("step") for _, base in family if base is not None)
    step = next((member for member in steps if isinstance(member, griffe.Function)), None)
    _, *given = list(step.parameters) if step is not None else [None]
    needed = [each.name for each in given if each is not None and each.required]
    if needed:
        return f"cannot be an optimizer: its step() needs {', '.join(needed)}, and craftc calls it with nothing"
    return None


def _family(class_: griffe.Class, index: SourceIndex) -> Iterator[tuple[str, griffe.Class | None]]:
    """A class and all that it derives from, by path; None for what cannot be read and might be anything."""
    waiting: list[tuple[str, griffe.Class]] = [(class_.path, class_)]
    seen: set[str] = set()
    while waiting:
        path, current = waiting.pop()
        yield path, current
        for base_path, base in bases_of(current, index):
            if base_path in seen or base_path in _HAVE_NOTHING:
                continue
            seen.add(base_path)
            if base is None:
                yield base_path, None
            else:
                waiting.append((base_path, base))


_HAVE_NOTHING = {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"}
