"""Stands in for craftc where a program is run by hand: prints reports and keeps the last state in a folder."""

import math
from pathlib import Path
from typing import Any

from craftc.training.programs.kept_state import keep, point_to, read_pointer, restore


class ByHand:
    """A Recorder for one process. `folder` holds `files/`, the program's own, and `checkpoints/` with its state."""

    def __init__(self, folder: Path) -> None:
        self._checkpoints = folder.absolute() / "checkpoints"
        self.files = folder.absolute() / "files"
        self.files.mkdir(parents=True, exist_ok=True)
        found = read_pointer(self._checkpoints)
        self._kept = None if found is None else found[0]
        self._num_records: int = 0 if found is None else found[1]["epoch"]

    def state(self) -> Any:
        """What was handed over last in this folder; None where nothing was."""
        return None if self._kept is None else restore(self._kept, folder=self._checkpoints, files=self.files)

    def report(self, metrics: dict[str, float], state: object, step: int | None) -> None:
        """See Recorder.report."""
        self._num_records += 1
        if state is not None:
            kept = keep(state, folder=self._checkpoints, files=self.files, number=self._num_records)
            point_to(kept, self._checkpoints, epoch=self._num_records)
        _print(f"record {self._num_records}{'' if step is None else f', step {step:,}'}", metrics)

    def finish(self, metrics: dict[str, float]) -> None:
        """See Recorder.finish."""
        _print("finished", metrics)


def _print(what: str, metrics: dict[str, float]) -> None:
    values = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items() if math.isfinite(value))
    missing = ", ".join(f"{name} {value}" for name, value in metrics.items() if not math.isfinite(value))
    print(f"{what}: {', '.join(filter(None, (values, missing)))}", flush=True)
