"""Reads the plan, the results and the failures of a run from its folder and the store."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from craftc.schemas.frozen import Frozen
from craftc.schemas.plan import Plan
from craftc.schemas.result import Result, TrialFailed, TrialsWithheld
from craftc.training.foundation.seal import DamagedError, unsealed
from craftc.training.state.result_file import FILENAME as RESULT
from craftc.training.state.result_file import read_result

Schema = TypeVar("Schema", bound=Frozen)


class RunUnreadableError(Exception):
    """The folder is no run, or a file of it is damaged. The message names the file, the cause and the mend."""


Tell = Callable[[str], None]
"""Is given a sentence for the user about a file that is damaged."""


def read_run(
    run_dir: Path, tell: Tell = lambda damaged: None
) -> tuple[Plan, dict[str, Result], dict[str, TrialFailed]]:
    """Read `<runs-dir>/<name>/<run>` and, for every trial of its plan, `<runs-dir>/store/<trial>/result.json`.

    Results and failures are keyed by trial. A trial that has a result did not fail, whatever this run recorded:
    another may have finished it since. One whose result is damaged has none, as `tell` is told. A last line of
    results.jsonl that a killed run left half written is passed over. Raises RunUnreadableError.
    """
    run_dir = run_dir.resolve()
    plan_path = run_dir / "plan.json"
    if not plan_path.is_file():
        raise RunUnreadableError(f'"{run_dir}" holds no plan.json; name the folder of a run: RUNS-DIR/NAME/RUN')
    plan = _parse(plan_path.read_bytes(), Plan, plan_path)
    store = run_dir.parent.parent / "store"
    trials = [trial.id for trial in plan.trials]
    results = read_results(store, trials, tell)
    failures = _read_failures(run_dir / "results.jsonl", tell)
    return plan, results, {trial: failures[trial] for trial in trials if trial in failures.keys() - results}


def read_results(store: Path, trials: Iterable[str], tell: Tell) -> dict[str, Result]:
    """The results of those trials that are finished; `tell` is told of each that is damaged."""
    results: dict[str, Result] = {}
    for trial in dict.fromkeys(trials):
        try:
            results[trial] = read_result(store / trial).result
        except (FileNotFoundError, NotADirectoryError):
            continue  # not finished
        except DamagedError as error:
            tell(f"{store / trial / RESULT} {error}")
        except OSError as error:
            tell(f"{store / trial / RESULT} cannot be read: {error.strerror or error}")
    return results


def read_withheld(run_dir: Path) -> frozenset[str]:
    """The trials that the run had no need of, as their variants were decided. Raises RunUnreadableError."""
    path = run_dir / "withheld.json"
    return frozenset(parse_file(path, TrialsWithheld).trials) if path.is_file() else frozenset()


def _read_failures(path: Path, tell: Tell) -> dict[str, TrialFailed]:
    """The trials whose last line says that they failed."""
    if not path.is_file():
        return {}
    failures: dict[str, TrialFailed] = {}
    *lines, torn = path.read_bytes().split(b"\n")
    for number, line in enumerate((*lines, *([torn] if _is_json(torn) else [])), start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if event.get("type") == "failed":
                failure = TrialFailed.model_validate_json(line)
                failures[failure.trial] = failure
            elif isinstance(event.get("result"), dict):
                failures.pop(str(event["result"].get("trial")), None)
        except (ValueError, AttributeError):
            tell(f"{path} is damaged: line {number} is not what a run writes")
    return failures


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def parse_file(path: Path, schema: type[Schema]) -> Schema:
    """A sealed file of a run. Raises RunUnreadableError."""
    return _parse(path.read_bytes(), schema, path)


def _parse(content: bytes, schema: type[Schema], path: Path) -> Schema:
    try:
        return schema.model_validate_json(unsealed(content).content)
    except DamagedError as error:
        mend = "run the spec again: nothing is trained twice"
        raise RunUnreadableError(f'"{path}" is damaged: it {error}; {mend}') from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RunUnreadableError(
            f'"{path}" is not a {schema.__name__} of this version of craftc: {place or "the file"}: {first["msg"]}; '
            "run the spec again with this version, or report with the version that wrote it"
        ) from error
