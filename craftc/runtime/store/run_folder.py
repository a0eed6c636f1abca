"""Makes, writes and finds the folder of a run, `<runs-dir>/<name>/<YYYYMMDD_HHMMSS>`."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from craftc.compiler.composing.included_files import is_yaml
from craftc.schemas.plan import Plan
from craftc.schemas.result import BudgetSpent, TrialFailed, TrialFinished, TrialPruned, TrialsWithheld
from craftc.schemas.search import SearchSummary
from craftc.training.foundation.atomic_file import open_atomically, write_atomically
from craftc.training.foundation.seal import sealed_json, sealed_yaml, unsealed, write_sealed_json

MOST_NAMED = 5
RUN_NAME = re.compile(r"\d{8}_\d{6}(_j\w+)?")


@dataclass(frozen=True)
class RunFolder:
    """One execution of a plan, on disk."""

    path: Path

    @property
    def run_name(self) -> str:
        """`YYYYMMDD_HHMMSS`, with `_jSLURM_JOB_ID` under Slurm."""
        return self.path.name

    @property
    def log(self) -> Path:
        """Where the output of Ray and of every other library goes."""
        return self.path / "log"

    @property
    def database(self) -> Path:
        """The run's Optuna studies."""
        return self.path / "study.db"

    @property
    def study_seal(self) -> Path:
        """What a complete study of the plan's own trials was written from."""
        return self.path / "study.json"

    def write_search(self, summary: SearchSummary) -> None:
        """Write search.json: what every study came to."""
        write_atomically(self.path / "search.json", sealed_json(summary.model_dump_json(indent=2).encode() + b"\n"))

    def write_budget(self, spent: BudgetSpent) -> None:
        """Write budget.json: what was not begun for lack of budget."""
        write_atomically(self.path / "budget.json", sealed_json(spent.model_dump_json(indent=2).encode() + b"\n"))

    def write_withheld(self, withheld: TrialsWithheld) -> None:
        """Write withheld.json: the trials that nobody needs, as their variants are decided without them."""
        write_atomically(self.path / "withheld.json", withheld.model_dump_json(indent=2).encode() + b"\n")

    def forget_budget(self) -> None:
        """Nothing was left out yet: a run that is taken up again has a new budget."""
        (self.path / "budget.json").unlink(missing_ok=True)

    def plan(self) -> Plan:
        """The plan that is executed here. Raises OSError, DamagedError and pydantic's ValidationError."""
        return Plan.model_validate_json(unsealed((self.path / "plan.json").read_bytes()).content)

    def spec_text(self) -> str:
        """The spec as it was written."""
        return (self.path / "spec.yaml").read_text(encoding="utf-8")

    def write_log(self, text: str) -> None:
        """Append to the log; others append to it at the same time."""
        with open(self.log, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{text.rstrip()}\n")

    @contextmanager
    def journal(self) -> Iterator["Journal"]:
        """Open results.jsonl for appending. A last line that a killed run left half written is cut off."""
        with open(self.path / "results.jsonl", "a+b") as file:
            _cut_torn_line(file)
            yield Journal(file)


@dataclass(frozen=True)
class Journal:
    """One line of JSON per trial that finished, failed or was pruned, on disk when `write` returns."""

    file: BinaryIO

    def write(self, event: TrialFinished | TrialFailed | TrialPruned) -> None:
        """Append the event."""
        self.file.write(event.model_dump_json().encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())


def create_run(runs_dir: Path, plan: Plan, spec_text: str, resolved_text: str | None = None) -> RunFolder:
    """Make the folder of a new run, with spec.yaml and plan.json. No two runs get the same one.

    `resolved_text` is the complete spec, which needs no other file to be understood.
    """
    path = _new_folder(runs_dir / plan.name)
    try:
        write_atomically(path / "spec.yaml", spec_text.encode())
        if resolved_text is not None:
            write_atomically(path / "spec.resolved.yaml", sealed_yaml(resolved_text.encode()))
        # The plan last: a folder with a plan is a run.
        with open_atomically(path / "plan.json") as file:
            write_sealed_json(file, (piece.encode() for piece in plan.json_lines()))
    except BaseException:
        # A full disk, or Ctrl-C: what is no run yet is none.
        shutil.rmtree(path, ignore_errors=True)
        raise
    return RunFolder(path)


def find_run(text: str, runs_dir: Path) -> Path:
    """The run's folder that is meant: by its path, `NAME/RUN`, or `NAME` (or that folder's path) for the latest of it.

    Raises FileNotFoundError with a message for the user.
    """
    for path in (Path(text), runs_dir / text):
        if (path / "plan.json").is_file():
            return path
        if runs := runs_of(path):
            return runs[-1]
    raise FileNotFoundError(f'no run "{text}": {_what_there_is(text, runs_dir)}')


def _what_there_is(text: str, runs_dir: Path) -> str:
    """What may have been meant: the runs of a spec that was named by its file, the others of a run's name, or any."""
    path = Path(text)
    if is_yaml(path.name) and path.is_file():
        name = _name_in(path)
        if name and runs_of(runs_dir / name):
            return f"it is a spec, whose runs go by its name; write {name} for the latest"
        return f'it is a spec, and in "{runs_dir}" there are no runs of it yet'
    if runs := runs_of(runs_dir / path.parent):
        latest = [run.name for run in reversed(runs)][:MOST_NAMED]
        return f"of {path.parent} there are {', '.join(latest)}{' and earlier ones' if len(runs) > MOST_NAMED else ''}"
    names = sorted(path.name for path in runs_dir.glob("*") if runs_of(path))
    known = f"there are runs of {', '.join(names)}" if names else "there are no runs yet"
    return f'it is no run\'s folder, and in "{runs_dir}" {known}'


def _name_in(spec: Path) -> str | None:
    """What a spec calls itself; None where that cannot be read."""
    from craftc.compiler.reading.parse import parse  # no other use of a run's folder reads YAML

    try:
        document, _ = parse(spec.read_text(encoding="utf-8"), str(spec))
    except (OSError, UnicodeDecodeError):
        return None
    tree = document.root.plain() if document is not None else None
    name = tree.get("name") if isinstance(tree, dict) else None
    return name if isinstance(name, str) and name else None


def runs_of(folder: Path) -> list[Path]:
    """The runs of one name, the latest last."""
    paths = folder.glob("*/plan.json")
    return sorted((path.parent for path in paths if RUN_NAME.fullmatch(path.parent.name)), key=lambda path: path.name)


def _new_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    job = os.environ.get("SLURM_JOB_ID")
    while True:
        path = parent / (time.strftime("%Y%m%d_%H%M%S") + (f"_j{job}" if job else ""))
        try:
            path.mkdir()
        except FileExistsError:
            # Another run began in this second; the name of the next is free.
            time.sleep(0.1)
        else:
            return path


def _cut_torn_line(file: BinaryIO) -> None:
    """Truncate after the last line end; leave the file at its end."""
    file.seek(0)
    content = file.read()
    file.truncate(content.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)
