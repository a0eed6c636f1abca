"""What sharing saves: one spec, its trials trained each alone and by the trainings that they share, in turn.

`python benchmarks/share.py [--small] [--rounds N] [--json FILE]`. Both sides run in this process with one thread, from
an empty store each time, the imports and the data before the clock, and have to come to equal results.
"""

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from side_by_side import Numbers, argument_parser, compare, fix_threads, timed, with_rounds, write

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.store import Store
from craftc.runtime.worker.job import run_job
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.result import TrialFinished

SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "share",
    "data": {
        "source": {"kind": "mnist_5k", "line_drift": 1.0, "imbalance": 10},
        "splits": {"train": 0.5, "valid": 0.15, "test": 0.35},
        "normalize": "per_line",
        "augment": [{"kind": "gaussian_noise", "std": 0.1}],
    },
    "model": {"kind": "scanline_vit", "d_model": 32, "num_layers": 1, "num_heads": 4, "d_ffn": 64},
    "objective": {"kind": "cross_entropy", "metrics": ["balanced_accuracy", "accuracy", "auroc"]},
    "regularization": {"dropout": 0.05, "weight_decay": 0.05, "clip_grad_norm": 1.0},
    "training": {
        "epochs": 20,
        "batch_size": 32,
        "optimizer": {"kind": "adamw", "lr": 1e-3},
        "schedule": [{"kind": "linear_warmup", "epochs": 3, "start_lr": 1e-6}, "constant"],
    },
    "ablation": {
        "grid": {
            "training.epochs": [5, 10, 20],
            "evaluation.select": [{"metric": "valid/loss"}, {"metric": "valid/balanced_accuracy"}, "none"],
        }
    },
}


def measure(trials: list[Trial], results: dict[str, Any]) -> Numbers:
    """Train from an empty store; each trial's result, without the clock, has to be the one in `results` already."""
    with tempfile.TemporaryDirectory() as folder:
        events: list[Any] = []
        taken = timed(lambda: events.extend(run_job(trials, store=Store(Path(folder)), device="cpu", cpus=1)))
    found = {event.result.trial: event.result for event in events if isinstance(event, TrialFinished)}
    assert found.keys() == {trial.id for trial in trials}, "every trial finishes"
    for trial, result in found.items():
        content = result.model_dump(exclude={"seconds"})
        assert results.setdefault(trial, content) == content, "every number is the same"
    epochs = sum(trial.epochs for trial in trials if trial.shares is None)
    return {**taken, "epochs": epochs}


def plan_of(spec: dict[str, Any]) -> Plan:
    """The spec's plan, all of it new."""
    compiled = compile_spec(json.dumps(spec), "share.yaml", built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    return compiled.plan


def main() -> None:
    """Measure, print, write."""
    parser = argument_parser(__doc__)
    parser.add_argument("--epochs", type=int, nargs="+", default=None)
    options = with_rounds(parser.parse_args(), rounds=3, small_rounds=1)
    fix_threads(options.threads)
    epochs = options.epochs or ([3, 4] if options.small else [5, 10, 20])
    SPEC["ablation"]["grid"]["training.epochs"] = epochs
    SPEC["training"]["epochs"] = max(epochs)
    shared = list(plan_of(SPEC).trials)
    alone = [trial.model_copy(update={"shares": None}) for trial in shared]
    results: dict[str, Any] = {}
    # Imports, the data and torch's first steps, before the clock.
    measure([trial for trial in alone if trial.epochs == min(epochs)][:1], results)
    sides = {"alone": partial(measure, alone, results), "shared": partial(measure, shared, results)}
    table = compare(f"{len(alone)} trials of one training", "alone", sides, rounds=options.rounds, warm_up=0)
    write(options, "share", [table])


if __name__ == "__main__":
    main()
