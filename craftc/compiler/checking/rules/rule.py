"""What a rule between fields is asked of, and what it answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from craftc.compiler.reading.problem import MAX_TOLD, Problem
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.spec import Spec


@dataclass(frozen=True)
class Checked:
    """What the rules look at: the spec, the same as plain values, and the tree as written, components spelled out.

    `folder` is what relative paths start from; None where no file may be looked at.
    """

    spec: Spec
    tree: dict[str, Any]
    written: dict[str, Any]
    catalogue: Catalogue
    folder: str | None = None


def gives_embeddings(checked: Checked) -> bool:
    """Whether the model gives embeddings, and no predictions of the target."""
    entries = [checked.catalogue.find("objectives", str(o.kind)) for o in checked.spec.objective.summands.values()]
    return checked.spec.data.views > 1 or any(entry is not None and entry.takes_outputs for entry in entries)


Rule = Callable[[Checked], Iterator[Problem]]


def check(checked: Checked, rules: tuple[Rule, ...]) -> list[Problem]:
    """Every broken rule, in the order of the rules."""
    return [problem for rule in rules for problem in islice(rule(checked), MAX_TOLD + 1)]
