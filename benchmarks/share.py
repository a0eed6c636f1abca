"""What sharing saves: one spec, its trials trained each alone and by the trainings that they share, in turn.

`python benchmarks/share.py [--rounds N] [--json FILE]` prints a table of medians and writes the numbers. Both sides run
in this process with one thread, from an empty store each time, the imports and the data before the clock.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.job import run_job
from craftc.runtime.store import Store
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


Seconds = tuple[float, float]
"""Of wall time, and of this process's CPU time, which a busy machine changes less."""


def measure(trials: list[Trial]) -> tuple[Seconds, list[dict[str, Any]]]:
    """Seconds from an empty store, and the results without the clock."""
    with tempfile.TemporaryDirectory() as folder:
        start, cpu_start = time.perf_counter(), time.process_time()
        events = list(run_job(trials, store=Store(Path(folder)), device="cpu", cpus=1))
        seconds = time.perf_counter() - start, time.process_time() - cpu_start
    results = [event.result.model_dump(exclude={"seconds"}) for event in events if isinstance(event, TrialFinished)]
    assert len(results) == len(trials), "every trial finishes"
    return seconds, sorted(results, key=lambda result: result["trial"])


def plan_of(spec: dict[str, Any]) -> Plan:
    """The spec's plan, all of it new."""
    compiled = compile_spec(json.dumps(spec), "share.yaml", built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    return compiled.plan


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    SPEC["ablation"]["grid"]["training.epochs"] = options.epochs
    SPEC["training"]["epochs"] = max(options.epochs)
    shared = list(plan_of(SPEC).trials)
    alone = [trial.model_copy(update={"shares": None}) for trial in shared]
    # Imports, the data and torch's first steps, before the clock.
    measure([trial for trial in alone if trial.epochs == min(options.epochs)][:1])
    seconds: dict[str, list[Seconds]] = {"alone": [], "shared": []}
    for _ in range(options.rounds):
        (one, apart), (other, together) = measure(alone), measure(shared)
        assert apart == together, "every number is the same"
        seconds["alone"].append(one)
        seconds["shared"].append(other)
    epochs = {"alone": sum(trial.epochs for trial in alone), "shared": max(trial.epochs for trial in shared)}
    wall, cpu = ({side: median(pair[i] for pair in pairs) for side, pairs in seconds.items()} for i in (0, 1))
    ratio = {"wall": wall["shared"] / wall["alone"], "cpu": cpu["shared"] / cpu["alone"]}
    print(f"{len(alone)} trials; {platform.machine()}, {os.cpu_count()} cores, one thread; {options.rounds} rounds")
    print("         epochs  wall s   CPU s   (medians)")
    for side in seconds:
        print(f"{side:8} {epochs[side]:6} {wall[side]:7.2f} {cpu[side]:7.2f}")
    share = epochs["shared"] / epochs["alone"]
    print(f"shared / alone: wall {ratio['wall']:.3f}, CPU {ratio['cpu']:.3f}, epochs {share:.3f}; all results equal")
    if options.json is not None:
        content = {"trials": len(alone), "epochs": epochs, "seconds": seconds, "ratio": ratio, "cpus": os.cpu_count()}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
