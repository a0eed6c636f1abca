"""Checks the files of a run, and those that all runs share."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from craftc.runtime.verifying.finding import Finding, damaged, sound
from craftc.schemas.plan import Plan
from craftc.schemas.result import BudgetSpent
from craftc.schemas.search import SearchSummary
from craftc.training.foundation.seal import DamagedError, unsealed

PLAN = "plan.json"
RESOLVED = "spec.resolved.yaml"
DIGESTS = "digests.json"
_SCHEMAS: dict[str, type[BaseModel]] = {PLAN: Plan, "search.json": SearchSummary, "budget.json": BudgetSpent}


def check_run(folder: Path) -> Iterator[Finding]:
    """Every file of a run that its report or `craftc resume` reads. Raises OSError."""
    for name, schema in _SCHEMAS.items():
        if (folder / name).is_file():
            yield _checked(folder / name, schema.model_validate_json)
    if (folder / RESOLVED).is_file():
        yield _checked(folder / RESOLVED, lambda content: content.decode())


def check_digests(path: Path) -> Iterator[Finding]:
    """The digests of data files that the store keeps; see `runtime/store/file_digests.py`."""
    if path.is_file():
        found = _checked(path, json.loads)
        yield found if found.state != "damaged" else damaged(path, found.fault, "remove")


def read_plan(folder: Path) -> Plan | None:
    """The plan of a run; None where it is damaged."""
    try:
        return Plan.model_validate_json(unsealed((folder / PLAN).read_bytes()).content)
    except (OSError, DamagedError, ValidationError):
        return None


def _checked(path: Path, parse: Callable[[bytes], Any]) -> Finding:
    """Nothing mends a file of a run: running its spec again makes another."""
    try:
        found = unsealed(path.read_bytes())
        parse(found.content)
    except DamagedError as error:
        return damaged(path, error, None)
    except ValueError:
        return damaged(path, "is not what a run writes there", None)
    return sound(path, is_sealed=found.is_sealed)
