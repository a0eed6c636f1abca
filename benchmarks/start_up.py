"""From Enter to the first training step, and to the end where all is trained already.

`python benchmarks/start_up.py [--small] [--rounds N] [--json FILE]`. Every side is a process of its own that trains the
same two trials of one epoch; the model writes down when it is first given a batch to train on. The sides by hand are
those of benchmarks/by_hand_ray.py.
"""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from ablation import SPEC, trials_as_written
from processes import timed_process
from side_by_side import Numbers, Side, compare, fix_threads, read_options, write
from told import FIRST_STEP

HERE = Path(__file__).parent
TRIALS: dict[str, Any] = {
    **SPEC,
    "name": "start-up",
    "model": "told:Told",
    "regularization": {},
    "training": {**SPEC["training"], "epochs": 1, "schedule": ["constant"]},
    "ablation": {"seeds": 2},
}


def begun(command: list[str], folder: Path) -> Numbers:
    """A process that trains, and when it took its first step."""
    told = folder / "first_step"
    told.unlink(missing_ok=True)
    variables = {FIRST_STEP: str(told), "PYTHONPATH": f"{HERE.parent}:{HERE}"}
    enter = time.time()
    taken = timed_process([sys.executable, *command], environment=variables)
    first = min(float(line) for line in told.read_text(encoding="utf-8").splitlines())
    return {"s to the first step": first - enter, **taken}


def by_hand(how: str) -> Numbers:
    """A side of benchmarks/by_hand_ray.py."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, found = folder / "trials.json", folder / "results.json"
        given.write_text(json.dumps(trials_as_written(TRIALS, str(HERE / "spec.yaml"))), encoding="utf-8")
        return begun([str(HERE / "by_hand_ray.py"), how, str(given), str(found)], folder)


def craftc(backend: str) -> Numbers:
    """`craftc run` with an empty store."""
    with tempfile.TemporaryDirectory() as name:
        return begun(_run(Path(name), backend), Path(name))


def finished() -> Numbers:
    """`craftc run` where every trial has its result: the process, from its start to its end."""
    with tempfile.TemporaryDirectory() as name:
        command = _run(Path(name), "inline")
        begun(command, Path(name))
        command[-1] = "ray"
        return timed_process([sys.executable, *command])


def _run(folder: Path, backend: str) -> list[str]:
    spec = folder / "spec.yaml"
    (folder / "told.py").write_text((HERE / "told.py").read_text(encoding="utf-8"), encoding="utf-8")
    spec.write_text(json.dumps(TRIALS), encoding="utf-8")
    return ["-m", "craftc", "run", str(spec), "--runs-dir", str(folder / "runs"), "--backend", backend]


def main() -> None:
    """One table: what Ray costs is told by the sides without it."""
    options = read_options(__doc__, rounds=5, small_rounds=1)
    fix_threads(options.threads)
    sides: dict[str, Side] = {
        "Tune, actors reused": partial(by_hand, "tune"),
        "ActorPool": partial(by_hand, "pool"),
        "craftc run": partial(craftc, "ray"),
        "one loop in one process": partial(by_hand, "loop"),
        "craftc run --backend inline": partial(craftc, "inline"),
        "craftc run, all trained already": finished,
    }
    title = "Two trials of one epoch, from Enter"
    write(options, "start_up", [compare(title, "Tune, actors reused", sides, rounds=options.rounds)])


if __name__ == "__main__":
    main()
