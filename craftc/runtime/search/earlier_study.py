"""The study of an earlier run of the same trials, copied: a run that trains nothing needs no Optuna for its study.

`study.json` beside a study that has all trials of its plan says what it was written from and what its file holds.
Imports nothing of Optuna.
"""

import hashlib
import importlib.metadata
import json
import os
from contextlib import suppress

from craftc.runtime.store.run_folder import RunFolder, runs_of
from craftc.schemas.plan import Plan
from craftc.training.foundation.atomic_file import write_atomically

LAYOUT = 2
"""Counted up when the same plan and results give another study."""


def seal_study(run_folder: RunFolder, plan: Plan) -> None:
    """Flush a study that is complete to the disk, and write study.json."""
    with open(run_folder.database, "rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _write_seal(run_folder, _content(plan), digest)


def copy_earlier_study(run_folder: RunFolder, plan: Plan) -> bool:
    """Copy the latest study of the same content from an earlier run of that name; whether there was one.

    A file that has been written to since, by a dashboard for example, is passed over.
    """
    content = _content(plan)
    for folder in reversed(runs_of(run_folder.path.parent)):
        earlier = RunFolder(folder)
        with suppress(OSError, ValueError):
            seal = json.loads(earlier.study_seal.read_bytes())
            if isinstance(seal, dict) and seal.get("content") == content:
                study = earlier.database.read_bytes()
                digest = hashlib.sha256(study).hexdigest()
                if digest == seal.get("sha256"):
                    write_atomically(run_folder.database, study)
                    _write_seal(run_folder, content, digest)
                    return True
    return False


def _write_seal(run_folder: RunFolder, content: str, digest: str) -> None:
    seal = {"content": content, "sha256": digest}
    write_atomically(run_folder.study_seal, json.dumps(seal, indent=2).encode() + b"\n")


def _content(plan: Plan) -> str:
    """A digest of all that the study is written from. What a finished trial measured follows from its fingerprint.

    Another version of Optuna may have another schema, which it does not write into older files by itself.
    """
    trials = [[trial.variant, trial.overrides, trial.id] for trial in plan.trials]
    select = plan.trials[0].config["evaluation"]["select"]
    parts = [LAYOUT, importlib.metadata.version("optuna"), plan.name, plan.baseline, select, plan.factors, trials]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
