"""What was measured of compiling a step, in the store: by what trials are like, and by what kind of machine tried it."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from craftc.compiler.fingerprint import sha256_of
from craftc.compiler.likeness import likenesses
from craftc.training.atomic_file import write_atomically

FOLDER = "compiled"
"""In the store, beside the prepared data. What is removed there is compiled and measured again."""


@dataclass(frozen=True)
class CompileFinding:
    """Seconds of a step as it stands and compiled, and of compiling it, the last time that this was done; or `because`
    of what it cannot be compiled."""

    plain: float = 0.0
    compiled: float = 0.0
    cost: float = 0.0
    because: str | None = None


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
        write_atomically(self.path, json.dumps(asdict(finding)).encode())


def finding_file(folder: Path, config: dict[str, Any], device: torch.device) -> FindingFile:
    """For trials like that of the configuration, on a machine like this, in `folder`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    machine = [device.type, name, os.cpu_count(), torch.get_num_threads(), torch.__version__]
    found = {"likeness": likenesses(config, device.type)[0], "machine": machine}
    return FindingFile(folder / f"{sha256_of(found)}.json")
