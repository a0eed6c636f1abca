"""Reads a trial's `config.json`: all that decides its result."""

import json
import re
from pathlib import Path
from typing import Any

from craftc.training.foundation.seal import DamagedError, unsealed

FILENAME = "config.json"
_TRIAL = re.compile(r"[0-9a-f]{64}")


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration in a trial's folder. Raises OSError, and DamagedError, also for that of another trial."""
    return parse_config((folder / FILENAME).read_bytes(), folder.name)


def parse_config(content: bytes, trial: str) -> dict[str, Any]:
    """The configuration in a file's content. A checkpoint may have been copied to a folder of any name, which is no
    trial. Raises DamagedError."""
    kept = unsealed(content).content
    try:
        config = json.loads(kept)
    except ValueError as error:
        raise DamagedError("is not JSON") from error
    if not isinstance(config, dict):
        raise DamagedError("is no configuration")
    named = config.get("trial", trial)
    if _TRIAL.fullmatch(trial) and named != trial:
        raise DamagedError(f"is that of trial {str(named)[:12]}")
    return config
