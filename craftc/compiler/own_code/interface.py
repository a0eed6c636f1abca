"""Checks whether craftc could use a component in the group that it is named in, as far as its source shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from craftc.compiler.own_code.constructor import bases_of
from craftc.compiler.own_code.program_function import program_problem
from craftc.schemas.catalogue import OFFERED, Group, optional_in_words

if TYPE_CHECKING:
    import griffe

    from craftc.compiler.own_code.python_source import SourceIndex
    from craftc.compiler.own_code.signature import Component

SINGULAR: dict[Group, str] = {
    "sources": "a source",
    "normalizers": "a normalizer",
    "tokenizers": "a tokenizer",
    "augmentations": "an augmentation",
    "models": "a model",
    "adapters": "an adapter",
    "objectives": "an objective",
    "metrics": "a metric",
    "views": "views",
    "after_stages": "a stage after training",
    "optimizers": "an optimizer",
    "schedules": "a schedule",
    "values": "a phase of a value",
    "programs": "a program",
    "samplers": "a sampler",
    "pruners": "a pruner",
    "trackers": "a tracker",
    "artefacts": "an artefact",
}
_BUILT_IN_ONLY = ("tokenizers", "samplers", "pruners")
_METHODS: dict[str, tuple[str, ...]] = {
    "normalizers": ("fit",),
    "metrics": ("update", "compute", "reset"),
    "after_stages": ("fit", "apply", "state_dict", "load_state_dict"),
    "optimizers": ("step",),
    "schedules": ("lr",),
    "values": ("value",),
    "trackers": ("start", "event", "close"),
    "artefacts": ("make",),
}
"""What craftc calls of the objects of a group, besides calling them."""
_CALLS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "models": (("forward", ("x",)),),
    "objectives": (("forward", ("output",)),),
    "metrics": (("reset", ()), ("update", ("output",)), ("compute", ())),
    "normalizers": (("fit", ("x_train",)), ("__call__", ("x",))),
    "views": (("__call__", ("x",)),),
    "adapters": (("__call__", ("model",)),),
    "after_stages": (
        ("fit", ("outputs", "targets")),
        ("apply", ("outputs",)),
        ("state_dict", ()),
        ("load_state_dict", ("state",)),
    ),
    "optimizers": (("step", ()),),
    "schedules": (("lr", ("base_lr", "step", "num_steps", "steps_per_epoch")),),
    "values": (("value", ("step", "num_steps", "steps_per_epoch")),),
    "trackers": (("start", ("plan", "run_name")), ("event", ("event",)), ("close", ())),
    "artefacts": (("make", ("trained",)),),
}
"""What it gives each of them, by position."""
_BY_NAME: dict[str, tuple[str, int]] = {
    "models": ("forward", 0),
    "objectives": ("forward", 2),
    "metrics": ("update", 2),
}
"""What it also gives columns by the names of parameters, and how many parameters come before: the target is the second
of a measure's, whatever it is called."""
_MODULES = {"torch.nn.Module", "torch.nn.modules.module.Module"}


def interface_problem(component: Component, group: Group) -> tuple[str, str | None] | None:
    """Why a component cannot be of a group, in words that follow its name, and the mend where one is known; None where
    nothing speaks against it."""
    if group in _BUILT_IN_ONLY:
        return f"cannot be {SINGULAR[group]}: {group} are built-in ones only", None
    if group == "programs":
        return program_problem(component.found, component.arguments)
    reason = _not_callable(component, group) or _not_of_kind(component, group)
    return None if reason is None else (reason, None)


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
    if group in ("models", "objectives"):
        if all(base is not None and path not in _MODULES for path, base in family):
            return f"is no torch.nn.Module, so it cannot be {SINGULAR[group]}"
        readable = [base for path, base in family if path not in _MODULES]
        if not any(base is None or {"forward", "__call__"} & base.members.keys() for base in readable):
            return f"has no forward(), so it cannot be {SINGULAR[group]}"
        return _cannot_be_called(component, group)
    if not any(base is None for _, base in family):
        for method in _METHODS.get(group, ()):
            if not any(base is not None and method in base.members for _, base in family):
                return f"has no {method}(), so it cannot be {SINGULAR[group]}"
    return _cannot_be_called(component, group)


def _cannot_be_called(component: Component, group: Group) -> str | None:
    """Why craftc cannot call a method as it does; None where it can, or where decorators may have changed it."""
    import griffe

    assert isinstance(component.found, griffe.Class)
    by_name, _ = _BY_NAME.get(group, ("", 0))
    for name, given in _CALLS.get(group, ()):
        method = find_method(component.found, name, component.index)
        if method is not None and not method.decorators and not _takes(method, len(given), by_name=name == by_name):
            takes = ", ".join(_written(parameter) for parameter in list(method.parameters)[_num_bound(method) :])
            calls = f"craftc calls {name}({', '.join([*given, *(['...'] if name == by_name else [])])})"
            return f"cannot be {SINGULAR[group]}: its {name} takes ({takes}), and {calls}"
    return None


def find_method(class_: griffe.Class, name: str, index: SourceIndex) -> griffe.Function | None:
    """A method of a class, its own or the first that it inherits; None where there is none, where it is no function,
    and where what comes before it cannot be read."""
    import griffe

    for member_of in _resolution_order(class_, index):
        if member_of is None:
            return None
        if name in member_of.members:
            found = member_of.members[name]
            return found if isinstance(found, griffe.Function) else None
    return None


def _resolution_order(
    class_: griffe.Class, index: SourceIndex, seen: frozenset[str] = frozenset()
) -> Iterator[griffe.Class | None]:
    """A class and its bases, depth first; None in the place of one that cannot be read."""
    yield class_
    for path, base in bases_of(class_, index):
        if base is not None and base.path not in seen:
            yield from _resolution_order(base, index, seen | {class_.path})
        elif base is None and path not in _HAVE_NOTHING | _MODULES:
            yield None


def asked_names(component: Component, group: Group) -> tuple[str, ...]:
    """The parameters that must be given by name when an object of the group is called, of a model with the first one
    and without those that may be None; none where that cannot be read."""
    _, num_before = _BY_NAME.get(group, ("", 0))
    parameters = _parameters_by_name(component, group) or []
    named = [p for i, p in enumerate(parameters) if i >= num_before or (p.kind and p.kind.value == "keyword-only")]
    absent = named[1:] if group == "models" else []
    optional = [p for p in absent if p.annotation is not None and optional_in_words(str(p.annotation))]
    return tuple(p.name for p in named if p.required and p not in optional)


def named_parameters(component: Component, group: Group) -> tuple[str, ...] | None:
    """Of a model or an objective, the parameters of `forward` behind the first that can be given by name, whether they
    must be or not; None where they cannot be read."""
    parameters = _parameters_by_name(component, group) if group in ("models", "objectives") else None
    return None if parameters is None else tuple(p.name for p in parameters[1:])


def _parameters_by_name(component: Component, group: Group) -> list[griffe.Parameter] | None:
    """Those of the method that is given names, but for `*args` and `**kwargs`; None where they cannot be read."""
    import griffe

    if group not in _BY_NAME or not isinstance(component.found, griffe.Class):
        return None
    method = find_method(component.found, _BY_NAME[group][0], component.index)
    if method is None or method.decorators:
        return None
    starred = ("variadic positional", "variadic keyword")
    parameters = list(method.parameters)[_num_bound(method) :]
    return [p for p in parameters if not (p.kind and p.kind.value in starred)]


def _takes(method: griffe.Function, num_given: int, *, by_name: bool = False) -> bool:
    """Whether it can be called with so many arguments by position and no others, or others by name."""
    parameters = list(method.parameters)[_num_bound(method) :]
    kinds = [parameter.kind.value if parameter.kind else "" for parameter in parameters]
    by_position = [p for p, kind in zip(parameters, kinds, strict=True) if kind.startswith("positional")]
    needs_more = any(p.required for p in by_position[num_given:])
    needs_names = any(p.required for p, kind in zip(parameters, kinds, strict=True) if kind == "keyword-only")
    takes_enough = len(by_position) >= num_given or "variadic positional" in kinds
    return takes_enough and (by_name or (not needs_more and not needs_names))


def _num_bound(method: griffe.Function) -> int:
    return 0 if "staticmethod" in method.labels else 1


def _written(parameter: griffe.Parameter) -> str:
    """A parameter's name as its function has it, with its default."""
    stars = {"variadic positional": "*", "variadic keyword": "**"}.get(
        parameter.kind.value if parameter.kind else "", ""
    )
    has_default = parameter.default is not None and not stars
    return f"{stars}{parameter.name}{f'={parameter.default}' if has_default else ''}"


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
