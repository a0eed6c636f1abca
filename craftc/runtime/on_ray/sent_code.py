"""Sends a user's own code to every node of a Ray cluster, so that its workers can import it."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from craftc.runtime.on_ray.project_files import Packed, pack_folder, stage

JOB_CONFIG_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Set by Ray for a submitted job: what it was submitted with."""


@dataclass(frozen=True)
class SentCode:
    """`import_folders` as the workers find them, relative to their working folder; `runtime_env` for `ray.init`."""

    import_folders: tuple[str, ...] = ()
    runtime_env: dict[str, Any] = field(default_factory=dict)


@contextmanager
def sent_code(folders: Sequence[str], runs_dir: Path) -> Iterator[SentCode]:
    """Pack the project of the first of the folders, in which the others are, for the workers to unpack and run in.

    What travels is what `craftc submit` sends; in a submitted job it has been sent already. Ray is to be connected
    while this is open. Raises BackendError where the project is too large.
    """
    relative = tuple(os.path.relpath(folder, folders[0]) for folder in folders)
    packed = packed_code(folders, runs_dir)
    if packed is None:
        yield SentCode(relative)
        return
    with tempfile.TemporaryDirectory(prefix="craftc-") as folder:
        stage(packed, Path(folder))
        yield SentCode(relative, {"working_dir": folder})


def packed_code(folders: Sequence[str], runs_dir: Path) -> Packed | None:
    """The files that `sent_code` sends; None where there are none to send. Raises BackendError as it does."""
    if not folders or _is_sent(Path(folders[0])):
        return None
    return pack_folder(Path(folders[0]), runs_dir)


def _is_sent(root: Path) -> bool:
    """Whether this process is a submitted job that runs in that folder."""
    job: Any = json.loads(os.environ.get(JOB_CONFIG_VARIABLE) or "{}")
    return "working_dir" in (job.get("runtime_env") or {}) and Path.cwd().resolve() == root.resolve()
