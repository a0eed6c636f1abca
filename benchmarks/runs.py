"""A spec in; what `craftc run` of it took and came to out."""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import timed_process
from side_by_side import Numbers

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Ran:
    """A run: wall and CPU seconds of the process, epochs that were trained, and what each trial reached."""

    taken: Numbers
    num_epochs: int
    num_jobs: int
    results: tuple[dict[str, float], ...]

    def mean(self, metric: str) -> float:
        """Over all trials that have a result, by the best epoch of each."""
        return statistics.mean(result[metric] for result in self.results)


def craftc_run(spec: Path, runs_dir: Path, *, without: Sequence[str] = ()) -> Ran:
    """Run a spec, its process and all that it starts on the clock; passes may be left out."""
    program = [str(HERE / "without.py"), ",".join(without)] if without else ["-m", "craftc"]
    taken = timed_process([sys.executable, *program, "run", str(spec), "--runs-dir", str(runs_dir)])
    newest = max(runs_dir.glob("*/*/plan.json"), key=lambda path: path.parent.name)
    plan = json.loads(newest.read_text(encoding="utf-8"))
    trained: dict[str, int] = {}
    results = []
    for trial in plan["trials"]:
        folder = runs_dir / "store" / trial["id"]
        results.append(json.loads((folder / "result.json").read_text(encoding="utf-8"))["best"])
        if trial["status"] == "new":
            # Trials of one training have a line each for every epoch of it.
            lines = len((folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
            training = trial["shares"] or trial["id"]
            trained[training] = max(trained.get(training, 0), lines)
    return Ran(taken, sum(trained.values()), len(plan["jobs"]), tuple(results))
