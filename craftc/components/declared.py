"""What a component declares, for processes that train and have no catalogue of the user's own components."""

from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, get_args

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.value_type import options
from craftc.components.build import load_component, parameters_of
from craftc.schemas.catalogue import FrozenParts, is_own
from craftc.schemas.terms import summands


def gives_embeddings(config: Mapping[str, Any]) -> bool:
    """Whether the model of a trial gives embeddings, whose shape is for the objective to judge, and no predictions."""
    kinds = [objective["kind"] for objective in summands(config["objective"]).values()]
    return config["data"].get("views", 1) > 1 or any(map(_outputs_of_objective, kinds))


@lru_cache(maxsize=64)
def _outputs_of_objective(kind: str) -> tuple[str, ...]:
    """What an objective declares to take of a model in the place of predictions."""
    if not is_own(kind):
        entry = built_in_catalogue().find("objectives", kind)
        return () if entry is None else entry.takes_outputs
    try:
        return tuple(getattr(load_component("objectives", kind), "takes_outputs", None) or ())
    except Exception:
        return ()  # that it cannot be imported is reported where it is built


def packages_of(group: str, kind: str) -> Mapping[str, str]:
    """The packages that a component declares to need, with craftc's extra that brings each."""
    if not is_own(kind):
        entry = built_in_catalogue().find(group, kind)
        return {} if entry is None else entry.packages
    try:
        declared = getattr(load_component(group, kind), "packages", None)
    except Exception:
        return {}  # that it cannot be imported is reported where it is built
    return declared if isinstance(declared, Mapping) else {}


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


@lru_cache(maxsize=256)
def takes_none(kind: str, argument: str) -> bool:
    """Whether an argument of a model may be None, which it then is where the data has no such fact."""
    if not is_own(kind):
        entry = built_in_catalogue().find("models", kind)
        parameter = None if entry is None else entry.parameter(argument)
        return parameter is not None and {"type": "null"} in options(parameter.type)
    try:
        annotation = parameters_of(load_component("models", kind))[argument].annotation
    except Exception:
        return False  # that it cannot be imported is reported where it is built
    return NoneType in get_args(annotation)
