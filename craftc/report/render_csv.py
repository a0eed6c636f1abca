"""Writes a run as CSV, a row for each trial of its plan."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from craftc.schemas.conclusion import Conclusion, SeedValue
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import Result


def render_csv(plan: Plan, conclusion: Conclusion, results: Mapping[str, Result]) -> str:
    """A header and a row for each trial, in the order of the plan; empty cells for what was not measured.

    Columns: the variant and its other names, seed, fold, status, the code of a failure; each factor by its path, values
    other than numbers and texts as JSON; every metric with the best weights (`best.<split>/<metric>`) and with the last
    ones (`last.`); epochs, seconds, parameters, and the trial's id.
    """
    metrics = list(dict.fromkeys(name for trial in plan.trials for name in _metrics(results.get(trial.id))))
    seeds = {seed.trial: seed for row in conclusion.variants for seed in row.seeds}
    codes = {failure.trial: failure.code for failure in conclusion.failures}
    rows = [
        {
            "variant": trial.variant,
            "also": "; ".join(trial.aliases),
            "seed": trial.seed,
            "fold": trial.fold,
            "status": seeds[trial.id].status,
            "failure": codes.get(trial.id),
            **{path: _plain(trial.overrides.get(path, value)) for path, value in plan.factors.items()},
            **_measured(trial, seeds[trial.id], results.get(trial.id), metrics),
            "trial": trial.id,
        }
        for trial in plan.trials
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _metrics(result: Result | None) -> list[str]:
    return [] if result is None else [*result.best, *result.last]


def _measured(trial: Trial, seed: SeedValue, result: Result | None, metrics: list[str]) -> dict[str, Any]:
    best, last = ({}, {}) if result is None else (result.best, result.last)
    return {
        **{f"best.{name}": best.get(name) for name in metrics},
        **{f"last.{name}": last.get(name) for name in metrics},
        f"best_{trial.record_name}": seed.best_epoch,
        f"last_{trial.record_name}": seed.last_epoch,
        "seconds": None if result is None else result.seconds,
        "parameters": None if result is None else result.num_parameters,
    }


def _plain(value: Any) -> Any:
    """A number or a text as it is; nothing of what is not set."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return json.dumps(value, ensure_ascii=False)
