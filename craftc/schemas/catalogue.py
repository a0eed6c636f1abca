"""What can be named in a spec: each component's arguments as read from its signature."""

from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen

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
]
"""The kinds of component, named as the folders of `craftc/components/`."""


class Parameter(Frozen):
    """One argument of a component. `type` is a JSON Schema fragment; `default` means nothing when `required`."""

    name: str
    type: dict[str, Any]
    required: bool = True
    default: Any = None
    doc: str = ""


class ComponentEntry(Frozen):
    """One component. `target` is `package.module:Name`; `constraints` are expressions over the arguments.

    `mode` is the better direction of a metric ("min" or "max"); None for everything else.
    """

    group: Group
    kind: str
    target: str
    summary: str
    doc: str = ""
    parameters: tuple[Parameter, ...] = Field(default=(), strict=False)
    constraints: tuple[str, ...] = Field(default=(), strict=False)
    mode: Literal["min", "max"] | None = None

    def parameter(self, name: str) -> Parameter | None:
        """The argument of that name, or None."""
        return next((p for p in self.parameters if p.name == name), None)


class Catalogue(Frozen):
    """Every component that ships with craftc, in the order of the registry."""

    entries: tuple[ComponentEntry, ...] = Field(strict=False)

    def find(self, group: str, kind: str) -> ComponentEntry | None:
        """The entry of that group and kind, or None."""
        return self.by_name.get((group, kind))

    @cached_property
    def by_name(self) -> dict[tuple[str, str], ComponentEntry]:
        """Every entry by group and kind."""
        return {(entry.group, entry.kind): entry for entry in reversed(self.entries)}

    def kinds(self, group: str) -> list[str]:
        """The names that a `kind:` of that group may have."""
        return [e.kind for e in self.entries if e.group == group]
