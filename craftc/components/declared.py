"""What a component declares, for processes that train and have no catalogue of the user's own components."""

from collections.abc import Mapping
from functools import lru_cache

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.components.build import load_component
from craftc.schemas.catalogue import FrozenParts, is_own


@lru_cache(maxsize=64)
def frozen_parts(kind: str) -> FrozenParts | None:
    """The arguments of a model of which the head alone is trained; None of any other.

    Linting has checked what a user's own declares. One that cannot be imported is told of when it is built.
    """
    if not is_own(kind):
        return built_in_catalogue().frozen_parts(kind)
    try:
        declared = getattr(load_component("models", kind), "frozen_parts", None)
    except Exception:
        return None
    if not isinstance(declared, Mapping) or set(declared) != set(FrozenParts._fields):
        return None
    return FrozenParts(**declared)
