"""What only the data can show, before anything is trained: a plan in, the data's contradictions out."""

import json
from dataclasses import dataclass
from pathlib import Path as FilePath

from craftc.schemas.diagnostic import Path, Severity, parse_path
from craftc.schemas.plan import Plan, Trial


@dataclass(frozen=True)
class DataProblem:
    """A mistake in the data, or in the spec as the data shows it. `path` is the place in the spec that is concerned."""

    code: str
    path: Path
    message: str
    hint: str | None
    severity: Severity = "error"


def preflight(plan: Plan, prepared: FilePath | None = None) -> list[DataProblem]:
    """Load, split and check the data of every new trial, once for each different `data`, `model` and `objective`.

    numpy alone does this, so that nothing waits for torch or Ray to be told that a class is missing. In the folder
    `prepared`, workers find what took long.
    """
    problems: dict[DataProblem, None] = {}
    seen: set[str] = set()
    for trial in plan.trials:
        key = json.dumps([trial.config[section] for section in ("data", "model", "objective")], sort_keys=True)
        if trial.status == "new" and key not in seen:
            seen.add(key)
            problems |= dict.fromkeys(_check(trial, prepared))
    return list(problems)


def _check(trial: Trial, prepared: FilePath | None) -> list[DataProblem]:
    from craftc.components.errors import DataError
    from craftc.components.objectives.num_weights import check_num_weights
    from craftc.training.prepare import infer_facts, missing_classes, prepare
    from craftc.training.prepared_files import shelf_of

    config = trial.config
    try:
        data = prepare(config["data"], shelf_of(trial, prepared))
        infer_facts(config["model"], data.facts)
        check_num_weights(config["objective"].get("class_weights", "none"), len(data.class_names))
    except DataError as error:
        return [DataProblem(error.code, parse_path(error.place), error.message, error.hint or None)]
    hint = "metrics averaged over classes leave them out there; enlarge the split or stratify"
    return [
        DataProblem(
            "class-missing-from-split",
            ("data", "splits", split),
            f"the split {split} has no sample of {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}",
            hint,
            "warning",
        )
        for split, names in missing_classes(data).items()
    ]
