"""Steps of K trials as one batched model, against the same steps one after another and by K processes on one core.

`python benchmarks/batching.py [--small] [--rounds N] [--device cuda] [--json FILE]`. All sides take the steps that
`craftc run` takes, with AdamW, clipping, and dropout where the model has any, on batches of 32 images of `digits`.
Times are divided by the number of trials that took the step. The processes are pinned to one core and step at the same
time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from processes import ROOT
from side_by_side import Numbers, Side, Table, argument_parser, compare, fix_threads, with_rounds, write

BATCH_SIZE = 32
NUM_PROCESSES = 4
MODELS: dict[str, dict[str, Any]] = {
    "linear": {"kind": "linear"},
    "mlp, 64 hidden": {"kind": "mlp", "hidden": [64]},
    **{
        f"scanline_vit, 2 layers, d_model {width}": {
            "kind": "scanline_vit", "d_model": width, "num_layers": 2, "num_heads": 4, "d_ffn": 2 * width,
        }
        for width in (16, 32, 64)
    },
}  # fmt: skip
SIZES, SMALL_SIZES = (4, 16, 64), (4, 16)
LEAST_S = 0.4
"""That a side is measured for, at least."""


def steps_of(name: str, num_trials: int, device: str) -> Callable[[], object]:
    """What takes a step of so many trials at once; of one, as it does alone."""
    from craftc.compiler.language.catalogue import built_in_catalogue
    from craftc.compiler.pipeline import compile_spec
    from craftc.training.batched_trials.speed import step_of
    from craftc.training.loop.trial import lay_ground, open_training
    from craftc.training.state.member import Member
    from craftc.training.state.resume import Start

    regularization = {"weight_decay": 0.05, "clip_grad_norm": 1.0}
    spec = {
        "craftc": 1,
        "name": "batching",
        "data": {"source": "digits", "normalize": "per_dataset"},
        "model": MODELS[name],
        "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
        "regularization": regularization | ({} if name == "linear" else {"dropout": 0.05}),
        "training": {"epochs": 5, "batch_size": BATCH_SIZE, "optimizer": {"kind": "adamw", "lr": 1e-3}},
        "ablation": {"seeds": num_trials},
    }
    plan = compile_spec(json.dumps(spec), "batching.yaml", built_in_catalogue()).plan
    assert plan is not None
    ground = lay_ground(plan.trials[0], device)
    # Nothing is read or written there: no epoch is ended.
    trainings = [open_training(Start([Member(trial, Path("unused"))]), ground) for trial in plan.trials]
    return step_of([training.parts for training in trainings], ground.train, BATCH_SIZE)


def measured(step: Callable[[], object], num_trials: int, device: str) -> Numbers:
    """A step, for each of its trials."""
    step()
    _wait(device)
    wall, cpu, num = time.perf_counter(), time.process_time(), 0
    while num < 2 or time.perf_counter() - wall < LEAST_S:
        step()
        num += 1
    _wait(device)
    per_step = 1e3 / (num * num_trials)
    return {
        "CPU ms per trial's step": (time.process_time() - cpu) * per_step,
        "wall ms": (time.perf_counter() - wall) * per_step,
    }


def _wait(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


class Batched:
    """A side that is set up when it is first measured."""

    def __init__(self, name: str, num_trials: int, device: str) -> None:
        self._make, self._num_trials, self._device = partial(steps_of, name, num_trials, device), num_trials, device
        self._step: Callable[[], object] | None = None

    def __call__(self) -> Numbers:
        """Measure it."""
        self._step = self._step or self._make()
        return measured(self._step, self._num_trials, self._device)


class Processes:
    """A process for each of a few trials, on one core, all stepping at the same time whenever they are asked."""

    def __init__(self, name: str, device: str) -> None:
        self._name, self._device = name, device
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self) -> Numbers:
        """Measure them: CPU time of all, and what passes for each trial's step."""
        for _ in range(NUM_PROCESSES - len(self._started)):
            command = [sys.executable, __file__, "--worker", self._name, "--device", self._device]
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            pipe = subprocess.PIPE
            self._started.append(subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True))
        for process in self._started:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
        for process in self._started:
            assert process.stdin is not None
            print("go", file=process.stdin, flush=True)
        found = [json.loads(process.stdout.readline()) for process in self._started if process.stdout is not None]
        cpu, wall = ([numbers[key] for numbers in found] for key in ("CPU ms per trial's step", "wall ms"))
        # Side by side: each waits for the others.
        return {"CPU ms per trial's step": sum(cpu) / len(cpu), "wall ms": sum(wall) / len(wall) ** 2}

    def end(self) -> None:
        """Have them end."""
        for process in self._started:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def work(name: str, device: str) -> None:
    """Be one of the processes."""
    if device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    step = steps_of(name, 1, device)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(measured(step, 1, device)), flush=True)
        print("ready", flush=True)


def table(name: str, sizes: tuple[int, ...], rounds: int, device: str) -> Table:
    """One model."""
    processes = Processes(name, device)
    sides: dict[str, Side] = {"one after another": Batched(name, 1, device)}
    sides |= {f"a batch of {size}": Batched(name, size, device) for size in sizes}
    sides[f"{NUM_PROCESSES} processes on one core" if device == "cpu" else f"{NUM_PROCESSES} processes"] = processes
    try:
        return compare(name, "one after another", sides, rounds=rounds)
    finally:
        processes.end()


def main() -> None:
    """Measure every model."""
    parser = argument_parser(__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--worker", default=None, help="used by the script itself")
    options = with_rounds(parser.parse_args(), rounds=5, small_rounds=2)
    fix_threads(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    if options.worker is not None:
        work(options.worker, options.device)
        return
    sizes = SMALL_SIZES if options.small else SIZES
    write(options, "batching", [table(name, sizes, options.rounds, options.device) for name in MODELS])


if __name__ == "__main__":
    main()
