"""A whole ablation, from Enter to the last result: craftc beside Ray Tune, a Ray ActorPool and a loop written by hand.

`python benchmarks/ablation.py [--small] [--only 16] [--rounds N] [--json FILE]`. Every side is a process of its own
that imports, starts Ray, trains the same trials (same data, model, epochs, and metrics in every epoch) and ends; they
run in turn. craftc alone writes what a run can go on from, weights, and a report. craftc's gain is split by leaving
out passes one after another (benchmarks/without.py).
"""

import json
import statistics
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from processes import timed_process
from runs import craftc_run
from side_by_side import Numbers, Side, Table, argument_parser, compare, fix_threads, render, with_rounds, write
from without import unfolded

HERE = Path(__file__).parent
WITHOUT = ("batch", "share", "fold")
"""In this order, each left out beside those before it: fold would otherwise leave its work to share."""

VIT = {"kind": "scanline_vit", "d_model": 16, "num_layers": 2, "num_heads": 4, "d_ffn": 32}
MLP = {"kind": "mlp", "hidden": [64]}
SPEC: dict[str, Any] = {
    "craftc": 1,
    "name": "ablation",
    "data": {"source": "digits", "splits": {"train": 0.6, "valid": 0.2, "test": 0.2}, "normalize": "per_dataset"},
    "model": VIT,
    "objective": {
        "kind": "cross_entropy",
        "class_weights": "balanced",
        "label_smoothing": 0.0,
        "metrics": ["accuracy", "balanced_accuracy"],
    },
    "regularization": {"dropout": 0.05, "weight_decay": 0.05, "clip_grad_norm": 1.0},
    "training": {
        "epochs": 20,
        "batch_size": 32,
        "optimizer": {"kind": "adamw", "lr": 3e-3},
        "schedule": [{"kind": "linear_warmup", "epochs": 1, "start_lr": 1e-6}, "constant"],
    },
    "evaluation": {"select": {"metric": "valid/loss"}},
}
FEATURES = {
    "warmup": {"training.schedule.0.epochs": 0},
    "dropout": {"regularization.dropout": 0.0},
    "class_weights": {"objective.class_weights": "none"},
    "weight_decay": {"regularization.weight_decay": 0.0},
    "clipping": {"regularization.clip_grad_norm": "none"},
}


def spec(num_trials: int, epochs: int, model: dict[str, Any] = VIT) -> dict[str, Any]:
    """Four seeds of the full model and of it without each of three fixes; or of 16 variants: with and without each of
    five fixes, and by how long and by what measure the best epoch is chosen."""
    if num_trials == 64:
        ablation: dict[str, Any] = {
            "features": FEATURES,
            "design": ["leave_one_out", "add_one"],
            "grid": {
                "training.epochs": [epochs // 2, epochs],
                "evaluation.select": [{"metric": "valid/loss"}, {"metric": "valid/balanced_accuracy"}],
            },
        }
    else:
        names = list(FEATURES)[: max(num_trials // 4 - 1, 0)]
        ablation = {"features": {name: FEATURES[name] for name in names}} if names else {}
    seeds = min(num_trials, 4)
    training = {**SPEC["training"], "epochs": epochs}
    return {**SPEC, "model": model, "training": training, "ablation": {**ablation, "seeds": seeds}}


def trials_as_written(written: dict[str, Any], path: str = "ablation.yaml") -> list[dict[str, Any]]:
    """What a loop over the variants of the spec would train: configuration and seed of each.

    Code of one's own is looked for beside `path`.
    """
    from craftc.compiler import pipeline
    from craftc.compiler.language.catalogue import built_in_catalogue

    folds, pipeline.fold = pipeline.fold, unfolded
    compiled = pipeline.compile_spec(json.dumps(written), path, built_in_catalogue())
    pipeline.fold = folds
    assert compiled.plan is not None, compiled.diagnostics
    return [{"config": trial.config, "seed": trial.seed} for trial in compiled.plan.trials]


def by_hand(how: str, trials: list[dict[str, Any]], reached: dict[str, float]) -> Numbers:
    """A process of benchmarks/by_hand_ray.py."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "trials.json", Path(folder) / "results.json"
        given.write_text(json.dumps(trials), encoding="utf-8")
        taken = timed_process([sys.executable, str(HERE / "by_hand_ray.py"), how, str(given), str(found)])
        results = json.loads(found.read_text(encoding="utf-8"))
    assert len(results) == len(trials)
    reached[how] = statistics.mean(result["test/accuracy"] for result in results)
    return {**taken, "epochs": sum(trial["config"]["training"]["epochs"] for trial in trials)}


def craftc(written: dict[str, Any], without: Sequence[str], reached: dict[str, float]) -> Numbers:
    """`craftc run` with an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ablation.yaml"
        path.write_text(json.dumps(written), encoding="utf-8")
        ran = craftc_run(path, Path(folder) / "runs", without=without)
        reached[" ".join(["craftc", *without])] = ran.mean("test/accuracy")
    return {**ran.taken, "epochs": ran.num_epochs}


def measured(num_trials: int, epochs: int, model: dict[str, Any], options: Namespace) -> Table:
    """The table of one ablation."""
    written = spec(num_trials, epochs, model)
    trials = trials_as_written(written)
    assert len(trials) == num_trials, len(trials)
    reached: dict[str, float] = {}
    warm_up = 0 if options.small or num_trials > 1 else 1
    sides: dict[str, Side] = {
        "Tune, actors reused": partial(by_hand, "tune", trials, reached),
        "ActorPool": partial(by_hand, "pool", trials, reached),
        "craftc": partial(craftc, written, (), reached),
    }
    if num_trials == 1:
        title = "Start-up: one trial of two epochs"
        return compare(title, "Tune, actors reused", sides, rounds=options.rounds, warm_up=warm_up)
    if num_trials <= 16:
        sides["one loop in one process"] = partial(by_hand, "loop", trials, reached)
    left_out = WITHOUT if num_trials == 64 else WITHOUT[:1]
    for number in range(1, len(left_out) + 1):
        name = "craftc without " + ", ".join(left_out[:number])
        sides[name] = partial(craftc, written, left_out[:number], reached)
    title = f"{num_trials} trials of up to {epochs} epochs, {model['kind']}"
    table = compare(title, "Tune, actors reused", sides, rounds=options.rounds, warm_up=warm_up, told=False)
    table = replace(table, facts={**gains(table), "mean test/accuracy": _listed(reached)})
    print(render(table), flush=True)
    return table


def gains(table: Table) -> dict[str, str]:
    """Wall seconds that each pass saves, those before it left out already."""
    names = [name for name in table.rounds if name.startswith("craftc")]
    found = {}
    for fewer, more in zip(names[1:], names, strict=False):
        pairs = zip(table.rounds[fewer], table.rounds[more], strict=True)
        seconds = statistics.median(one["wall s"] - other["wall s"] for one, other in pairs)
        found[f"{fewer.split(', ')[-1].split()[-1]} saves"] = f"{seconds:.1f} s"
    against = {name: table.ratio("craftc", "wall s", base=name) for name in ("ActorPool",)}
    return found | {f"craftc to {name}": f"{ratio:.2f}" for name, ratio in against.items() if ratio is not None}


def _listed(reached: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in reached.items())


def main() -> None:
    """Start-up, 16 trials, and, unless it is to be small, 16 longer ones of a smaller model, and 64."""
    parser = argument_parser(__doc__)
    parser.add_argument("--only", type=int, nargs="+", default=[1, 16, 64], help="ablations of so many trials alone")
    options = with_rounds(parser.parse_args(), rounds=3, small_rounds=1)
    fix_threads(options.threads)
    small, full = [(1, 2, VIT), (16, 4, VIT)], [(1, 2, VIT), (16, 20, VIT), (16, 100, MLP), (64, 20, VIT)]
    sizes = small if options.small else full
    write(options, "ablation", [measured(*size, options) for size in sizes if size[0] in options.only])


if __name__ == "__main__":
    main()
