"""What only the data can show, before anything is trained: a plan in, the data's contradictions out."""

import json
from dataclasses import dataclass
from typing import Any

from craftc.schemas.diagnostic import Path
from craftc.schemas.plan import Plan


@dataclass(frozen=True)
class DataProblem:
    """A mistake in the data, or in the spec as the data shows it. `path` is the place in the spec that is concerned."""

    code: str
    path: Path
    message: str
    hint: str | None
    variant: str


def preflight(plan: Plan) -> list[DataProblem]:
    """Load, split and check the data of every new trial, once for each different `data` and `model` section.

    numpy alone does this, so that nothing waits for torch or Ray to be told that a class is missing.
    """
    from craftc.components.errors import DataError
    from craftc.training.prepare import infer_facts, prepare

    problems: dict[tuple[str, str], DataProblem] = {}
    seen: set[str] = set()
    for trial in plan.trials:
        data, model = trial.config["data"], trial.config["model"]
        key = json.dumps([data, model], sort_keys=True)
        if trial.status != "new" or key in seen:
            continue
        seen.add(key)
        try:
            infer_facts(model, prepare(data).facts)
        except DataError as error:
            path = _place(error.code, error.message, model)
            problem = DataProblem(error.code, path, error.message, error.hint or None, trial.variant)
            problems.setdefault((error.code, error.message), problem)
    return list(problems.values())


def _place(code: str, message: str, model: dict[str, Any]) -> Path:
    """Where in the spec the mistake is to be mended."""
    if code in ("empty-split", "class-missing-from-train"):
        return ("data", "splits")
    if code == "data-mismatch":
        named = next((name for name in model if f"model.{name} " in message), None)
        return ("model", named) if named else ("model",)
    return ("data", "source")
