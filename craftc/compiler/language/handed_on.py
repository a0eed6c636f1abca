"""Says which components a key of `regularization` is handed to."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from craftc.compiler.language.component_fields import component_fields
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import REGULARIZED, Component, Spec
from craftc.schemas.terms import OBJECTIVE, TERMS


def handed_to(key: str, spec: Spec, catalogue: Catalogue) -> list[Path]:
    """The components that take the key: the one whose it is, or of an objective's terms all that have such an
    argument."""
    return [
        place
        for place, component in candidates(key, spec).items()
        if (entry := catalogue.find(group_of_handed(key), component.kind)) is not None
        and entry.parameter(key) is not None
    ]


def candidates(key: str, spec: Spec) -> Mapping[Path, Component]:
    """The components that the key is for, whether they take it or not, by their places."""
    path = REGULARIZED[key]
    if path == OBJECTIVE:
        return spec.objective.summands
    found: Any = spec
    for part in path:
        found = getattr(found, str(part))
    return {path: found}


def is_handed(key: str, place: Path) -> bool:
    """Whether the key may be handed to what stands there."""
    path = REGULARIZED.get(key)
    return path == place or (path == OBJECTIVE and place[:-1] == TERMS)


@lru_cache
def group_of_handed(key: str) -> str:
    """The group of the components that the key is for."""
    return next(field.group for field in component_fields() if field.path == REGULARIZED[key])
