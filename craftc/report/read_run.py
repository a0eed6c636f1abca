"""Reads the plan, the results and the failures of a run from its folder and the store."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from craftc.schemas.frozen import Frozen
from craftc.schemas.plan import Plan
from craftc.schemas.result import Result, TrialFailed

Schema = TypeVar("Schema", bound=Frozen)


class RunUnreadableError(Exception):
    """The folder is no run, or a file of it is damaged. The message names the file, the cause and the mend."""


def read_run(run_dir: Path) -> tuple[Plan, dict[str, Result], dict[str, TrialFailed]]:
    """Read `<runs-dir>/<name>/<run>` and, for every trial of its plan, `<runs-dir>/store/<trial>/result.json`.

    Results and failures are keyed by trial. A trial that has a result did not fail, whatever this run recorded:
    another may have finished it since. A last line of results.jsonl that a killed run left half written is passed
    over. Raises RunUnreadableError.
    """
    run_dir = run_dir.resolve()
    plan_path = run_dir / "plan.json"
    if not plan_path.is_file():
        raise RunUnreadableError(f'"{run_dir}" holds no plan.json; name the folder of a run: RUNS-DIR/NAME/RUN')
    plan = _parse(plan_path.read_bytes(), Plan, plan_path)
    store = run_dir.parent.parent / "store"
    paths = {trial.id: store / trial.id / "result.json" for trial in plan.trials}
    results = {trial: _parse(path.read_bytes(), Result, path) for trial, path in paths.items() if path.is_file()}
    failures = _read_failures(run_dir / "results.jsonl")
    return plan, results, {trial: failure for trial, failure in failures.items() if trial in paths.keys() - results}


def _read_failures(path: Path) -> dict[str, TrialFailed]:
    """The trials whose last line says that they failed."""
    if not path.is_file():
        return {}
    failures: dict[str, TrialFailed] = {}
    *lines, torn = path.read_bytes().split(b"\n")
    for number, line in enumerate((*lines, *([torn] if _is_json(torn) else [])), start=1):
        if not line.strip():
            continue
        if not _is_json(line):
            raise RunUnreadableError(f'"{path}" is damaged: line {number} is not JSON; run the spec again')
        event = json.loads(line)
        if isinstance(event, dict) and event.get("type") == "failed":
            failure = _parse(line, TrialFailed, path)
            failures[failure.trial] = failure
        elif isinstance(event, dict) and isinstance(event.get("result"), dict):
            failures.pop(event["result"].get("trial"), None)
    return failures


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def parse_file(path: Path, schema: type[Schema]) -> Schema:
    """A file of a run or of the store. Raises RunUnreadableError."""
    return _parse(path.read_bytes(), schema, path)


def _parse(content: bytes, schema: type[Schema], path: Path) -> Schema:
    try:
        return schema.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunUnreadableError(
            f'"{path}" is not a {schema.__name__} of this version of craftc: {place or "the file"}: {first["msg"]}; '
            "run the spec again with this version, or report with the version that wrote it"
        ) from error
