"""What it costs to lint and plan specs of few variants and of as many as one spec can have.

    python benchmarks/compile_scale.py           # 1 to 10,000 variants, about two minutes
    python benchmarks/compile_scale.py --small   # to 1,000
    python benchmarks/compile_scale.py --write   # and write plan.json and read it again, as `craftc run` does
    python benchmarks/compile_scale.py --json FILE

The shapes are what variants differ in: `sections` is a grid over one field in each of several sections, `model` a grid
over arguments of the model alone, `features` every combination of six features at the points of a grid, `seeds` a
hundred variants with more and more seeds. Each measurement is a process of its own. `lint` is CPU time of the whole
command, with the start of Python; `plan` is CPU time of compiling in a process that has everything imported.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from side_by_side import Numbers, Table, argument_parser, fix_threads, with_rounds, write

SHAPES = ("sections", "model", "features", "seeds")


def main() -> None:
    """Measure every shape at every size, and print each as it comes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--write", action="store_true", help="write plan.json too, and read it again")
    parser.add_argument("--one", nargs=2, metavar=("SHAPE", "TRIALS"), help=argparse.SUPPRESS)
    arguments = with_rounds(parser.parse_args(), rounds=3, small_rounds=1)
    fix_threads(arguments.threads)
    if arguments.one:
        shape, trials = arguments.one
        print(json.dumps(measure(shape, int(trials), write=arguments.write)))
        return
    sizes = [1, 10, 100, 1_000, *([] if arguments.small else [10_000])]
    found: dict[str, list[Numbers]] = {}
    for shape in SHAPES:
        for size in sizes:
            for _ in range(arguments.rounds):
                row = in_own_process(shape, size, write=arguments.write)
                print_row(row, head=not found)
                name = f"{shape}, {row['variants']:,} variants, {row['trials']:,} trials"
                found.setdefault(name, []).append(numbers_of(row))
    write(arguments, "compile_scale", [Table("Linting and planning specs of many variants", "", found)])


def numbers_of(row: dict[str, Any]) -> Numbers:
    """What is kept of a measurement, in the units of the table that is printed."""
    kept = {
        "lint CPU s": row["lint_cpu_seconds"],
        "plan CPU s": row["cpu_seconds"],
        "plan CPU ms per variant": row["cpu_seconds"] / row["variants"] * 1e3,
        "plan peak MiB": row["peak_bytes"] / 2**20,
    }
    if "file_bytes" in row:
        kept |= {"write s": row["write_seconds"], "read s": row["read_seconds"], "file MiB": row["file_bytes"] / 2**20}
    return kept


def in_own_process(shape: str, size: int, *, write: bool) -> dict[str, Any]:
    """One measurement."""
    command = [sys.executable, __file__, "--one", shape, str(size), *(["--write"] if write else [])]
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    measured: dict[str, Any] = json.loads(told.stdout)
    return {**measured, "lint_cpu_seconds": lint_seconds(shape, size)}


def lint_seconds(shape: str, size: int) -> float:
    """CPU time of `craftc lint`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.yaml")
        path.write_text(spec(shape, size))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "craftc", "lint", str(path)], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(shape: str, size: int, *, write: bool) -> dict[str, Any]:
    """Compile once to get everything imported, then the spec of that size."""
    from craftc.compiler.language.catalogue import built_in_catalogue
    from craftc.compiler.pipeline import compile_spec

    catalogue = built_in_catalogue()
    compile_spec(spec(shape, 10), "x.yaml", catalogue)
    text = spec(shape, size)
    gc.set_threshold(100_000)  # as the command line sets it
    begun = time.process_time()
    compiled = compile_spec(text, "x.yaml", catalogue)
    cpu = time.process_time() - begun
    assert compiled.plan is not None, compiled.diagnostics[:3]
    found = {
        "shape": shape,
        "trials": len(compiled.plan.trials),
        "variants": len(compiled.analysis.variants),
        "cpu_seconds": cpu,
        "peak_bytes": peak_bytes(),
    }
    return {**found, **(written(compiled.plan) if write else {})}


def written(plan: Any) -> dict[str, Any]:
    """What writing and reading `plan.json` takes."""
    from craftc.runtime.store.run_folder import create_run

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        run = create_run(Path(folder), plan, "")
        ended = time.perf_counter()
        again = run.plan()
        assert len(again.trials) == len(plan.trials)
        size = (run.path / "plan.json").stat().st_size
        return {"write_seconds": ended - begun, "read_seconds": time.perf_counter() - ended, "file_bytes": size}


def peak_bytes() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def spec(shape: str, size: int) -> str:
    """A spec of about that many variants; of `seeds`, trials."""
    if size == 1:
        return json.dumps(BASE)
    ablation = {**ABLATIONS[shape](size), "seeds": max(size // 101, 1) if shape == "seeds" else 1}
    return json.dumps({**BASE, "ablation": ablation})


BASE = {
    "craftc": 1,
    "name": "scale",
    "data": {"source": {"kind": "digits"}},
    "model": {"kind": "scanline_vit", "d_model": 64, "num_layers": 4, "num_heads": 4, "d_ffn": 128},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
    "training": {"epochs": 20, "batch_size": 32, "optimizer": {"kind": "adamw", "lr": 0.0011}},
}


def rates(count: int) -> list[float]:
    """Learning rates."""
    return [round(1e-6 * (number + 1), 9) for number in range(count)]


FEATURES = {
    "dropout": {"model.dropout": 0.0},
    "normalization": {"data.normalize": "none"},
    "weight_decay": {"regularization.weight_decay": 0.0},
    "average": {"regularization.ema_decay": 0.99},
    "stopping": {"training.early_stopping": {"metric": "valid/loss", "patience": 3}},
    "selection": {"evaluation.select": "none"},
}
"""Of which every combination is a variant, with and without each."""
ABLATIONS: dict[str, Any] = {
    "sections": lambda size: {
        "grid": {
            "training.optimizer.lr": rates(max(size // 100 - 1, 1)),
            "model.num_layers": [1, 2, 3, 5, 6][: size // 10 or 1],
            "regularization.dropout": [0.05, 0.1, 0.2, 0.3],
            "training.batch_size": [8, 16, 24, 48, 64][: size // 10],
        }
    },
    "model": lambda size: {
        "grid": {
            "model.d_ffn": [16 + number for number in range(max(size // 100 - 1, 1))],
            "model.num_layers": [1, 2, 3, 5, 6][: size // 10],
            "model.dropout": [0.05, 0.1, 0.2, 0.3],
            "model.d_model": [16, 32, 48, 80, 96][: size // 10],
        }
    },
    "features": lambda size: {
        "features": FEATURES,
        "design": ["full_factorial"] if size > 10 else ["leave_one_out"],
        "combine": "product",
        "grid": {"training.optimizer.lr": rates(max(size // 64 - 1, 1))},
    },
    "seeds": lambda size: {
        "grid": {
            "training.optimizer.lr": rates(min(size, 20)),
            "model.num_layers": [1, 2, 3, 5, 6][: max(size // 20, 1)],
        }
    },
}


def print_row(row: dict[str, Any], *, head: bool) -> None:
    """A line of the table."""
    columns = {
        "shape": row["shape"],
        "variants": f"{row['variants']:,}",
        "trials": f"{row['trials']:,}",
        "lint CPU s": f"{row['lint_cpu_seconds']:.2f}",
        "plan CPU s": f"{row['cpu_seconds']:.3f}",
        "peak MiB": f"{row['peak_bytes'] / 2**20:,.0f}",
    }
    if "file_bytes" in row:
        columns |= {
            "write s": f"{row['write_seconds']:.2f}",
            "read s": f"{row['read_seconds']:.2f}",
            "file MiB": f"{row['file_bytes'] / 2**20:,.1f}",
        }
    if head:
        print("".join(f"{name:>14}" for name in columns))
    print("".join(f"{value:>14}" for value in columns.values()), flush=True)


if __name__ == "__main__":
    main()
