"""Names what an objective is a sum of, and what of it is recorded, from the plain values of a trial's configuration."""

from collections.abc import Iterable, Mapping
from typing import Any

from craftc.schemas.diagnostic import Path

OBJECTIVE: Path = ("objective",)
TERMS: Path = (*OBJECTIVE, "terms")
TERM_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
"""What a term may be called: its name is part of paths, and of names of metrics."""


def summands(objective: Mapping[str, Any]) -> dict[Path, Mapping[str, Any]]:
    """What an objective is a sum of, by its place in a spec: itself alone where it has no terms."""
    terms = term_names(objective)
    return {(*TERMS, name): objective["terms"][name] for name in terms} if terms else {OBJECTIVE: objective}


def plain_objective(objective: Mapping[str, Any]) -> dict[str, Any]:
    """The objective without the key that it does not have: a `kind` beside terms, or terms beside a `kind`."""
    return {key: value for key, value in objective.items() if key not in ("kind", TERMS[-1]) or value}


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
