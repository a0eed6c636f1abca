"""What an ablation sets in one variant, and where the spec says so."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from craftc.schemas.diagnostic import Path, parse_path


@dataclass(frozen=True)
class Setting:
    """One value that a variant sets, and the place in the spec that says so."""

    path: str
    value: Any
    origin: Path

    @cached_property
    def target(self) -> Path:
        """The place that it sets."""
        return parse_path(self.path)


@dataclass(frozen=True)
class Variant:
    """A named set of settings over the spec as written."""

    name: str
    settings: tuple[Setting, ...]
