"""Names what an objective is a sum of, and what of it is recorded, from the plain values of a trial's configuration."""

from collections.abc import Iterable, Mapping
from typing import Any

from craftc.schemas.diagnostic import Path

OBJECTIVE: Path = ("objective",)
TERMS: Path = (*OBJECTIVE, "terms")


def summands(objective: Mapping[str, Any]) -> dict[Path, Mapping[str, Any]]:
    """What an objective is a sum of, by its place in a spec: itself alone where it has no terms."""
    terms = term_names(objective)
    return {(*TERMS, name): objective["terms"][name] for name in terms} if terms else {OBJECTIVE: objective}


def term_names(objective: Mapping[str, Any]) -> list[str]:
    """The names of its terms in the order in which they are added, that of the alphabet, so that the order in which a
    spec lists them changes no bit; none where it is no sum."""
    return sorted(objective.get("terms") or ())


def loss_names(terms: Iterable[str]) -> list[str]:
    """What the terms are recorded as of every split beside `loss`."""
    return [f"{term}_loss" for term in terms]


def objective_names(terms: Iterable[str]) -> list[str]:
    """What the terms are recorded as of the epoch that trained, beside `objective`."""
    return [f"{term}_objective" for term in terms]


def names_of_term(term: str) -> tuple[str, ...]:
    """All that a term is recorded as, without splits."""
    return (*loss_names([term]), *objective_names([term]))


def objective_kind(objective: Mapping[str, Any]) -> str:
    """The kind of an objective, or those of its terms."""
    return " + ".join(str(term["kind"]) for term in summands(objective).values())
