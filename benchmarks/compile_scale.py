"""What it costs to compile very many trials: seconds, seconds per trial and memory, from a hundred trials to a million.

    python benchmarks/compile_scale.py                     # 10^2 to 10^5 trials, about a minute
    python benchmarks/compile_scale.py --max 1000000       # to 10^6: some minutes and about five gigabytes
    python benchmarks/compile_scale.py --write             # and write plan.json, as `craftc run` does
    python benchmarks/compile_scale.py --small             # to 10^4
    python benchmarks/compile_scale.py --json FILE

Three ways to come to a number of trials: `sections` is a grid over one field in each of several sections, `model` a
grid over arguments of the model alone, `seeds` a hundred variants with ever more seeds. Each measurement is a process
of its own, so that its peak of memory is its own; what the program held before it compiled is taken off.
"""

import argparse
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

SHAPES = ("sections", "model", "seeds")


def main() -> None:
    """Measure every shape at every size, and print each as it comes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--max", type=int, default=None, help="the most trials")
    parser.add_argument("--write", action="store_true", help="write plan.json too, and read it again")
    parser.add_argument("--one", nargs=2, metavar=("SHAPE", "TRIALS"), help=argparse.SUPPRESS)
    arguments = with_rounds(parser.parse_args(), rounds=1, small_rounds=1)
    fix_threads(arguments.threads)
    if arguments.one:
        shape, trials = arguments.one
        print(json.dumps(measure(shape, int(trials), write=arguments.write)))
        return
    most = arguments.max or (10_000 if arguments.small else 100_000)
    sizes = [10**power for power in range(2, 7) if 10**power <= most]
    found: dict[str, list[dict[str, Any]]] = {}
    for shape in SHAPES:
        for size in sizes:
            row = in_own_process(shape, size, write=arguments.write)
            print_row(row, head=not found)
            found[f"{shape}, {row['trials']:,} trials"] = [numbers_of(row)]
    write(arguments, "compile_scale", [Table("Compiling a spec of very many trials", "", found)])


def numbers_of(row: dict[str, Any]) -> Numbers:
    """What is kept of a measurement, in the units of the table that is printed."""
    kept = {
        "seconds": row["seconds"],
        "CPU us per trial": row["cpu_microseconds_per_trial"],
        "peak MiB": row["peak_bytes"] / 2**20,
        "bytes per trial": row["bytes_per_trial"],
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
    return measured


def measure(shape: str, size: int, *, write: bool) -> dict[str, Any]:
    """Compile once to get everything imported, then the spec of that many trials."""
    from craftc.compiler.language.catalogue import built_in_catalogue
    from craftc.compiler.pipeline import compile_spec

    catalogue = built_in_catalogue()
    compile_spec(spec(shape, 10), "x.yaml", catalogue)
    text, before = spec(shape, size), peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    compiled = compile_spec(text, "x.yaml", catalogue)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert compiled.plan is not None, compiled.diagnostics[:3]
    trials = len(compiled.plan.trials)
    found = {
        "shape": shape,
        "trials": trials,
        "variants": len(compiled.analysis.variants),
        "seconds": wall,
        "cpu_seconds": cpu,
        "cpu_microseconds_per_trial": cpu / trials * 1e6,
        "peak_bytes": peak_bytes(),
        "bytes_per_trial": (peak_bytes() - before) / trials,
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
    """A spec of about that many trials."""
    grid, seeds = GRIDS[shape](size), size // 101 if shape == "seeds" else 1
    ablation = {"grid": grid, "seeds": max(seeds, 1)}
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


GRIDS: dict[str, Any] = {
    "sections": lambda size: {
        "training.optimizer.lr": rates(max(size // 100 - 1, 1)),
        "model.num_layers": [1, 2, 3, 5, 6],
        "regularization.dropout": [0.05, 0.1, 0.2, 0.3],
        "training.batch_size": [8, 16, 24, 48, 64],
    },
    "model": lambda size: {
        "model.d_ffn": [16 + number for number in range(max(size // 100 - 1, 1))],
        "model.num_layers": [1, 2, 3, 5, 6],
        "model.dropout": [0.05, 0.1, 0.2, 0.3],
        "model.d_model": [16, 32, 48, 80, 96],
    },
    "seeds": lambda size: {"training.optimizer.lr": rates(20), "model.num_layers": [1, 2, 3, 5, 6]},
}


def print_row(row: dict[str, Any], *, head: bool) -> None:
    """A line of the table."""
    columns = {
        "shape": row["shape"],
        "trials": f"{row['trials']:,}",
        "variants": f"{row['variants']:,}",
        "seconds": f"{row['seconds']:.2f}",
        "CPU us/trial": f"{row['cpu_microseconds_per_trial']:.0f}",
        "peak MiB": f"{row['peak_bytes'] / 2**20:,.0f}",
        "bytes/trial": f"{row['bytes_per_trial']:,.0f}",
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
