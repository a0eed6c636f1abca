"""Writes, lists and finds submissions, `<runs-dir>/submissions/<id>.json`."""

from pathlib import Path

from pydantic import ValidationError

from craftc.schemas.submission import Submission
from craftc.training.foundation.atomic_file import write_atomically

FOLDER = "submissions"


def write_submission(runs_dir: Path, submission: Submission) -> Path:
    """Remember a submission; a later attempt takes the place of an earlier one. Returns the file."""
    path = runs_dir / FOLDER / f"{submission.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (submission.model_dump_json(indent=2) + "\n").encode())
    return path


def read_submissions(runs_dir: Path) -> list[Submission]:
    """All that are remembered, in the order in which they were submitted. Files of another version are passed over."""
    found = []
    for path in (runs_dir / FOLDER).glob("*.json"):
        try:
            found.append(Submission.model_validate_json(path.read_bytes()))
        except ValidationError:
            continue
    return sorted(found, key=lambda submission: (submission.submitted_at, submission.id))


def find_submission(text: str, runs_dir: Path) -> Submission | None:
    """The submission of that id, or whose attempt the cluster calls so; for Slurm, its job number too."""
    for submission in reversed(read_submissions(runs_dir)):
        if text in (submission.id, submission.job):
            return submission
    return None
