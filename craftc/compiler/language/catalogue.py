"""Reads the components that ship with craftc from a generated file, so that linting imports none of them."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from craftc.schemas.catalogue import Catalogue, ComponentEntry, FrozenParts, Parameter

CATALOGUE_FILE = Path(__file__).with_name("catalogue.json")


@lru_cache(maxsize=1)
def built_in_catalogue() -> Catalogue:
    """Every built-in component. `python -m craftc.components.describe` writes the file from the signatures."""
    return read_catalogue(CATALOGUE_FILE.read_text(encoding="utf-8"))


def read_catalogue(text: str) -> Catalogue:
    """What `craftc.components.describe` wrote."""
    return Catalogue(tuple(_entry(**entry) for entry in json.loads(text)["entries"]))


def _entry(parameters: Iterable[dict[str, Any]] = (), **values: Any) -> ComponentEntry:
    described = tuple(Parameter(**parameter) for parameter in parameters)
    listed = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    if (parts := values.get("frozen_parts")) is not None:
        listed["frozen_parts"] = FrozenParts(**parts)
    return ComponentEntry(**values | listed, parameters=described)
