"""What `search: {use: defaults}` finds beside the ranges that somebody who knows the task writes.

`python benchmarks/default_ranges.py [--small] [--rounds N] [--json FILE]`. Three tasks, each searched over both spaces
with as many points, the same starting point and the same seeds, by TPE and at random; a round is a seed of the search
and of the trainings. What counts is the metric of the test split at the point that is best by the validation split.
"""

import json
import os
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from side_by_side import Numbers, Side, Table, argument_parser, compare, fix_threads, with_rounds, write

from craftc.cli.main import app

CONSTANT: dict[str, Any] = {"resources": {"cpus": 1, "max_concurrent": 1}, "craftc": 1, "name": "ranges"}


@dataclass(frozen=True)
class Task:
    """A spec without its search; what is better by validation and what is read off test; and the narrow ranges."""

    title: str
    spec: dict[str, Any]
    metric: str
    by_hand: dict[str, dict[str, Any]]


DIGITS = Task(
    "digits by an mlp, 5 epochs",
    {
        "data": {"source": "digits"},
        "model": {"kind": "mlp"},
        "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
        "training": {"epochs": 5, "batch_size": 32, "optimizer": {"kind": "adamw"}, "schedule": ["cosine"]},
        "evaluation": {"every": {"epochs": 5}},
    },
    "accuracy",
    {
        "training.optimizer.lr": {"log_uniform": [1e-3, 1e-2]},
        "training.optimizer.weight_decay": {"log_uniform": [1e-3, 0.1]},
        "model.hidden": {"choice": [[128], [256], [128, 128]]},
        "model.dropout": {"uniform": [0.0, 0.3]},
    },
)
DIABETES = Task(
    "diabetes, a table, by an mlp, 10 epochs",
    {
        "data": {"source": "diabetes", "splits": {"train": 0.6, "valid": 0.2, "test": 0.2}, "normalize": "per_feature"},
        "model": {"kind": "mlp", "hidden": [32]},
        "objective": {"kind": "huber", "delta": 50.0, "metrics": ["rmse"]},
        "training": {"epochs": 10, "batch_size": 16, "optimizer": {"kind": "adamw"}, "schedule": ["cosine"]},
        "evaluation": {"every": {"epochs": 5}},
    },
    "rmse",
    {
        # The target goes from 25 to 346 and is not scaled, which takes great rates.
        "training.optimizer.lr": {"log_uniform": [1e-2, 1e-1]},
        "training.optimizer.weight_decay": {"log_uniform": [1e-2, 1.0]},
        "model.hidden": {"choice": [[16], [32], [64]]},
        "model.dropout": {"uniform": [0.0, 0.3]},
    },
)
TEXT = Task(
    "python_docs by a small decoder, 10,240 characters",
    {
        "data": {
            "source": {"kind": "python_docs", "context_length": 16},
            "splits": {"train": 0.98, "valid": 0.01, "test": 0.01},
        },
        "model": {"kind": "decoder", "d_model": 32, "num_layers": 2},
        "objective": {"kind": "cross_entropy", "metrics": ["bits_per_character"]},
        "training": {"max_tokens": 10240, "batch_size": 16, "optimizer": {"kind": "adamw"}, "schedule": ["cosine"]},
        "evaluation": {"every": {"steps": 40}},
    },
    "bits_per_character",
    {
        "training.optimizer.lr": {"log_uniform": [3e-3, 2e-2]},
        "model.d_model": {"choice": [64, 128]},
        "model.num_layers": {"int": [1, 2]},
        "model.num_heads": {"choice": [2, 4]},
    },
)
SAMPLERS = {"random": {"kind": "random"}, "tpe": {"kind": "tpe", "startup_trials": 3}}
"""TPE's usual ten points at random would be all that there are."""
HIGHER = ("accuracy",)


def searched(task: Task, use: str, sampler: str, points: int, seed: int, folder: Path) -> Numbers:
    """Run one search; the metric of test at its best point, and at its start."""
    ranges: dict[str, Any] = {"use": "defaults"} if use == "defaults" else {"space": task.by_hand}
    mode = "max" if task.metric in HIGHER else "min"
    search = {
        **ranges,
        "optimize": {"metric": f"valid/{task.metric}", "mode": mode},
        "sampler": SAMPLERS[sampler],
        "trials": points,
    }
    spec = {**CONSTANT, **task.spec, "seed": seed, "search": search}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{use}-{sampler}.yaml"
    path.write_text(json.dumps(spec), encoding="utf-8")
    runs = folder / "runs"
    done = CliRunner().invoke(app, ["run", str(path), "--runs-dir", str(runs), "--backend", "inline"])
    if done.exit_code not in (0, 3):  # 3: a point failed, and the search went on
        raise SystemExit(done.output[-4000:])
    newest = max(runs.glob("*/*/search.json"), key=lambda found: found.parent.name)
    [study] = json.loads(newest.read_text(encoding="utf-8"))["studies"]
    finished = [point for point in study["points"] if point["value"] is not None]
    best = (max if mode == "max" else min)(finished, key=lambda point: float(point["value"]))
    start = next(point for point in finished if point["kind"] == "start")
    return {
        f"test/{task.metric} at the best point": _at(best, task, runs),
        f"valid/{task.metric} there": float(best["value"]),
        f"test/{task.metric} at the start": _at(start, task, runs),
        "points without a value": float(len(study["points"]) - len(finished)),
    }


def _at(point: dict[str, Any], task: Task, runs: Path) -> float:
    [trial] = point["trials"]
    result = json.loads((runs / "store" / trial / "result.json").read_text(encoding="utf-8"))
    return float(result["best"][f"test/{task.metric}"])


def measured(task: Task, points: int, options: Namespace, folder: Path) -> Table:
    """One table: each round of a side is its next seed."""

    def side(use: str, sampler: str, seeds: Iterator[int]) -> Side:
        return lambda: searched(task, use, sampler, points, seed := next(seeds), folder / str(seed))

    sides = {
        f"{use}, {sampler}": side(use, sampler, count())
        for sampler in ("tpe", "random")
        for use in ("by hand", "defaults")
    }
    better = "higher" if task.metric in HIGHER else "lower"
    facts = {"points": f"{points} beside the start", "better": f"{better} {task.metric}"}
    return compare(task.title, "by hand, tpe", sides, rounds=options.rounds, warm_up=0, facts=facts)


def main() -> None:
    """A table of each task."""
    options = with_rounds(argument_parser(__doc__).parse_args(), rounds=3, small_rounds=1)
    fix_threads(options.threads)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    points = 3 if options.small else 8
    tables: list[Table] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, task in enumerate((DIABETES, DIGITS, TEXT)):
            tables.append(measured(task, points, options, Path(folder) / str(number)))
            write(options, "default_ranges", tables)


if __name__ == "__main__":
    main()
