"""A trial's state in and out of `checkpoints/{best,last}.pt`, each beside a SHA-256 that is verified on reading."""

import hashlib
import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from craftc.schemas.plan import Trial
from craftc.training.assemble import Parts
from craftc.training.atomic_file import write_atomically
from craftc.training.errors import TrainingError
from craftc.training.progress import Progress

FORMAT = 1


def last_path(folder: Path) -> Path:
    """All that is needed to continue."""
    return folder / "checkpoints" / "last.pt"


def best_path(folder: Path) -> Path:
    """The selected epoch's weights."""
    return folder / "checkpoints" / "best.pt"


def save_last(folder: Path, trial: Trial, parts: Parts, progress: Progress) -> None:
    """Write the whole state after an epoch."""
    state = {
        "progress": progress.state_dict(),
        "model": parts.model.state_dict(),
        "ema": None if parts.ema is None else parts.ema.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
    }
    _write(last_path(folder), trial, state)


def save_best(folder: Path, trial: Trial, parts: Parts, progress: Progress) -> None:
    """Write the weights that are judged."""
    _write(best_path(folder), trial, {"epoch": progress.epoch, "model": parts.evaluated.state_dict()})


def load_last(folder: Path, trial: Trial, device: torch.device) -> dict[str, Any] | None:
    """What `save_last` wrote, in tensors that nothing else holds; None for a trial without a finished epoch.

    Raises TrainingError `checkpoint-corrupt`, also where the best weights that it counts on are not to be had.
    """
    if not last_path(folder).exists():
        return None
    state = _read(last_path(folder), trial, device)
    progress = Progress.from_state_dict(state["progress"])
    # The weights of an epoch that is both best and last are here, whether or not best.pt was still written.
    if not progress.is_best:
        load_best(folder, trial, device, epoch=progress.selected.epoch)
    return state


def load_best(folder: Path, trial: Trial, device: torch.device, *, epoch: int) -> dict[str, Any]:
    """The `state_dict` of the best weights. Raises TrainingError `checkpoint-corrupt`, also for another epoch's."""
    state = _read(best_path(folder), trial, device)
    if state["epoch"] != epoch:
        raise _corrupt(best_path(folder), f"is of epoch {state['epoch']}, not {epoch}")
    weights: dict[str, Any] = state["model"]
    return weights


def restore(state: dict[str, Any], parts: Parts) -> Progress:
    """Put a loaded state into the parts. Its tensors may become the parts' own."""
    parts.model.load_state_dict(state["model"])
    if parts.ema is not None:
        parts.ema.load_state_dict(state["ema"])
    parts.optimizer.load_state_dict(state["optimizer"])
    parts.schedule.load_state_dict(state["schedule"])
    return Progress.from_state_dict(state["progress"])


def settle_last(folder: Path) -> None:
    """After an interruption: leave only the digest of the file that is really there in the sidecar."""
    path = last_path(folder)
    _write_sidecar(path, [hashlib.sha256(path.read_bytes()).hexdigest()])


def _write(path: Path, trial: Trial, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "trial": trial.id, **state}, buffer)
    content = buffer.getbuffer()
    path.parent.mkdir(parents=True, exist_ok=True)
    # The sidecar goes first and names the file it announces and the one it replaces: a kill in between leaves a pair
    # that still verifies.
    digests = [hashlib.sha256(content).hexdigest(), *_digests(path)[:1]]
    _write_sidecar(path, digests)
    write_atomically(path, content)


def _read(path: Path, trial: Trial, device: torch.device) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _corrupt(path, "is missing") from None
    if hashlib.sha256(content).hexdigest() not in _digests(path):
        raise _corrupt(path, f"does not have the SHA-256 in {_sidecar(path).name}")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise _corrupt(path, f"cannot be loaded: {str(error).splitlines()[0]}") from error
    if (state.get("format"), state.get("trial")) != (FORMAT, trial.id):
        raise _corrupt(path, f"is of format {state.get('format')} and trial {str(state.get('trial'))[:12]}")
    return state


def _digests(path: Path) -> list[str]:
    """The SHA-256s that `path` may have: the newest first, at most two."""
    try:
        lines = _sidecar(path).read_text().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    return [line.split()[0] for line in lines if line.strip()]


def _write_sidecar(path: Path, digests: Sequence[str]) -> None:
    write_atomically(_sidecar(path), "".join(f"{digest}  {path.name}\n" for digest in digests).encode())


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _corrupt(path: Path, what: str) -> TrainingError:
    return TrainingError("checkpoint-corrupt", f"{path} {what}; delete the trial's folder to train it again")
