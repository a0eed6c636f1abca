"""What can be named in a spec: each component's arguments as read from its signature."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from craftc.schemas.diagnostic import Range, Related

Group = Literal[
    "sources",
    "normalizers",
    "augmentations",
    "models",
    "objectives",
    "metrics",
    "optimizers",
    "schedules",
    "samplers",
    "pruners",
    "trackers",
]
"""The kinds of component, named as the folders of `craftc/components/`; trackers are in `craftc/runtime/observers/`."""

OFFERED: dict[Group, tuple[str, ...]] = {
    "sources": (),
    "normalizers": (),
    "augmentations": (),
    "models": (),
    "objectives": ("class_counts",),
    "metrics": ("num_classes",),
    "optimizers": ("params",),
    "schedules": (),
    "samplers": ("seed",),
    "pruners": (),
    "trackers": ("run",),
}
"""What craftc hands a component by position. It takes as many as it has positional-only parameters; an optimizer
takes the first whatever the kind of its parameters. What is taken is no argument that a spec writes."""


ANY_OTHER = "**"
"""Stands for `**kwargs` in an entry: any further argument of that type is accepted."""
NESTED: Literal["nested"] = "nested"
"""In the place of a group: a component in an argument of another."""


def is_own(kind: str) -> bool:
    """Whether a kind is a user's own, `package.module:Name`, and not a built-in name."""
    return ":" in kind


def short_name(kind: str) -> str:
    """What a metric is recorded as: `Parity` for `my.metrics:Parity`, a built-in by its kind."""
    return kind.rpartition(":")[2]


def is_nested(value: Any) -> bool:
    """Whether a value within an argument is a component to be built: a mapping whose `kind` is a user's own.

    A mapping with any other `kind`, or none, is handed over as it is.
    """
    return isinstance(value, Mapping) and isinstance(value.get("kind"), str) and is_own(value["kind"])


PER_TRIAL = "per trial"
"""In `Annotated`, marks an argument that trials trained as one batch may differ in."""
COMPONENT_OF = "component of "
"""In `Annotated`, before a group: marks an argument that takes a component of that group, built-in ones too, as it is
written. Whoever takes it builds it, once all that the component needs to know is known."""
WEIGHTS = "weights"
"""In `Annotated`, marks a path that may also name a trial of the store, for the weights that it came to."""
FROZEN_BACKBONE = "frozen_backbone"
"""The kind of model of which the head alone is trained, on what another model makes of the data."""
FROM_ENVIRONMENT = "from environment"
"""In `Annotated`, marks an argument of a tracker whose text may hold `${env:NAME}`: it decides no result."""
TRIAL = "trial:"
"""Before the id of a trial, or the beginning of one, in the place of a path of weights."""


class Parameter(NamedTuple):
    """One argument of a component. `type` is a JSON Schema fragment; `default` means nothing when `required`.

    `computed`: its default is no plain value, so that the component's own holds where a spec leaves the argument out.
    `per_trial`: trials trained as one batch may differ in it. `from_environment`: its text may hold `${env:NAME}`.
    """

    name: str
    type: dict[str, Any]
    required: bool = True
    default: Any = None
    computed: bool = False
    doc: str = ""
    per_trial: bool = False
    from_environment: bool = False
    defined_at: Range | None = None


class ComponentEntry(NamedTuple):
    """One component. `target` is `package.module:Name`; `constraints` are expressions over the arguments.

    `mode` is the better direction of a metric ("min" or "max"); None for everything else, and for a metric that does
    not say. `defined_at` is its name in its Python file; None of what ships with craftc. A component in another's
    argument is of no group, but `nested`. `depends_on_length` says of a schedule's phase that takes
    all epochs that remain whether its rates depend on how many; None where it does not say.
    """

    group: Group | Literal["nested"]
    kind: str
    target: str
    summary: str
    doc: str = ""
    parameters: tuple[Parameter, ...] = ()
    constraints: tuple[str, ...] = ()
    mode: Literal["min", "max"] | None = None
    depends_on_length: bool | None = None
    defined_at: Range | None = None

    def parameter(self, name: str) -> Parameter | None:
        """The argument of that name, or None."""
        return next((p for p in self.parameters if p.name == name), None)

    def definition(self, name: str = "") -> tuple[Related, ...]:
        """Where an argument, or else the component, is defined, for a mistake to tell; nothing of built-in ones."""
        parameter = self.parameter(name)
        place = parameter.defined_at if parameter and parameter.defined_at else self.defined_at
        return () if place is None else (Related(message="defined here", range=place),)


class Unreadable(NamedTuple):
    """A user's kind that is no component, or none of some group, and why."""

    kind: str
    code: Literal["unknown-component", "unfit-component"]
    message: str
    hint: str | None = None
    related: tuple[Related, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Every component that ships with craftc, in the order of the registry, and those of its user's own a spec names.

    A user's component is in `own` once for each group that it can be of, for craftc hands each group other things;
    for the others `unreadable` says why not.
    """

    entries: tuple[ComponentEntry, ...]
    own: dict[tuple[str, str], ComponentEntry] = field(default_factory=dict)
    unreadable: dict[tuple[str, str], Unreadable] = field(default_factory=dict)

    def find(self, group: str, kind: str) -> ComponentEntry | None:
        """The entry of that group and kind, or None."""
        if is_own(kind):
            return self.own.get((group, kind))
        return self.by_name.get((group, kind))

    @cached_property
    def by_name(self) -> dict[tuple[str, str], ComponentEntry]:
        """Every built-in entry by group and kind."""
        return {(entry.group, entry.kind): entry for entry in reversed(self.entries)}

    def kinds(self, group: str) -> list[str]:
        """The built-in names that a `kind:` of that group may have."""
        return [e.kind for e in self.entries if e.group == group]
