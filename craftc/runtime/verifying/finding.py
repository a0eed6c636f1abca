"""What is found of one file that is checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from craftc.schemas.store_health import Mend


@dataclass(frozen=True)
class Finding:
    """A file and its state. `fault` says what is wrong with a damaged one, `mend` what mends it; `trial` is whose it
    is."""

    path: Path
    state: Literal["sound", "unsealed", "damaged"]
    fault: str | None = None
    mend: Mend | None = None
    trial: str | None = None


def sound(path: Path, *, is_sealed: bool = True, trial: str | None = None) -> Finding:
    """One that is as it was written, as far as it can be known without a seal."""
    return Finding(path, "sound", trial=trial) if is_sealed else Finding(path, "unsealed", None, "seal", trial)


def damaged(path: Path, fault: object, mend: Mend | None, trial: str | None = None) -> Finding:
    """One that is not."""
    return Finding(path, "damaged", str(fault), mend, trial)
