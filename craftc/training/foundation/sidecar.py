"""Says whether a checkpoint is whole, by the digest that stands beside it in `NAME.sha256`. Imports no torch."""

import hashlib
from pathlib import Path


def is_whole(checkpoint: Path) -> bool:
    """Whether it has a digest of its sidecar, as `training/state/checkpoint.py` writes both. Raises OSError."""
    try:
        with checkpoint.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest in checkpoint.with_name(f"{checkpoint.name}.sha256").read_text(encoding="ascii").split()
    except (FileNotFoundError, UnicodeDecodeError):
        return False
