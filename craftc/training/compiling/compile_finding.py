"""Keeps the measurements of compiling a step in the store, by configuration and kind of machine."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import craftc
from craftc.compiler.planning.identity.fingerprint import hash_file, own_kinds, sha256_of
from craftc.compiler.planning.similarity import similarity_keys
from craftc.training.foundation.atomic_file import write_atomically

FOLDER = "compiled"
"""In the store, beside the prepared data: findings, and in `kernels` what torch compiled. What is removed there is
compiled and measured again."""
KERNELS = "kernels"


@dataclass(frozen=True)
class CompileFinding:
    """Seconds of a step as it stands and compiled, and of compiling it, the last time that this was done; or `because`
    of what it cannot be compiled. `num_left`: steps that were taken as they stand since then, or since the first of
    such trials, only because they were too few."""

    plain: float = 0.0
    compiled: float = 0.0
    cost: float = 0.0
    because: str | None = None
    num_left: int = 0

    @property
    def is_tried(self) -> bool:
        """Whether more is known than how long a step takes as it stands."""
        return self.because is not None or self.compiled > 0


@dataclass(frozen=True)
class FindingFile:
    """Where a finding is, or will be."""

    path: Path

    def read(self) -> CompileFinding | None:
        """None where nothing is known, and where the file is damaged."""
        try:
            return CompileFinding(**json.loads(self.path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, finding: CompileFinding) -> None:
        """Keep it; of several that find out at a time, the last stays."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, (json.dumps(asdict(finding)) + "\n").encode())


def folder_beside(prepared: Path | None) -> Path | None:
    """Where findings are, beside the folder of prepared data."""
    return None if prepared is None else prepared.with_name(FOLDER)


def finding_file(folder: Path, config: dict[str, Any], device: torch.device) -> FindingFile:
    """For trials like that of the configuration, with the user's own code as it was imported, on a machine like this,
    in `folder`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    found = {
        "likeness": similarity_keys(config, device.type)[0],
        "code": {kind: _source(kind) for kind in sorted(set(own_kinds(config)))},
        "machine": [device.type, name, os.cpu_count(), torch.get_num_threads(), torch.__version__],
        "craftc": craftc.__version__,
    }
    return FindingFile(folder / f"{sha256_of(found)}.json")


def _source(kind: str) -> str:
    """The digest of the module that a component of the user's own stands in."""
    path = getattr(sys.modules.get(kind.partition(":")[0]), "__file__", None)
    return hash_file(Path(path)) if path and Path(path).is_file() else ""
