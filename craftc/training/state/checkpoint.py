"""Saves and loads `checkpoints/{best,last}.pt` and weights that are kept of an epoch, each beside a SHA-256 that is
verified when it is read.

Trials that are trained together have the same weights: their files are hard links to one file, which says how far each
trial is.
"""

import copy
import hashlib
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from craftc.schemas.plan import Trial
from craftc.training.assemble import Parts
from craftc.training.foundation.atomic_file import link_atomically, write_atomically, write_together
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import RandomState
from craftc.training.state.member import Member
from craftc.training.state.packing import packed, unpacked
from craftc.training.state.progress import Progress
from craftc.training.state.running import Running
from craftc.training.state.write_buffer import WriteBuffer

FORMAT, WITHIN_RECORD = 2, 3
"""Of a state at the end of a record, and of one within."""
FORMATS = (1, FORMAT, WITHIN_RECORD)
"""That are read; in the first, the optimizer's tensors were not put together."""


def last_path(folder: Path) -> Path:
    """All that is needed to continue."""
    return folder / "checkpoints" / "last.pt"


def best_path(folder: Path) -> Path:
    """The selected epoch's weights."""
    return folder / "checkpoints" / "best.pt"


def kept_path(folder: Path, epoch: int) -> Path:
    """The weights of an epoch, kept until what is made from them is made."""
    return folder / "checkpoints" / f"epoch_{epoch:06}.pt"


def kept_epochs(folder: Path) -> list[int]:
    """The epochs whose weights are kept, in order."""
    names = (path.stem.removeprefix("epoch_") for path in (folder / "checkpoints").glob("epoch_*.pt"))
    return sorted(int(name) for name in names if name.isdecimal())


def forget_kept(folder: Path, epoch: int) -> None:
    """Remove the weights that were kept of an epoch."""
    path = kept_path(folder, epoch)
    for file in (path, _sidecar(path)):
        file.unlink(missing_ok=True)


@dataclass(frozen=True)
class State:
    """A training: its members, those of them whose best weights these are, and those who keep them, either may be none,
    and the state itself.

    `running` is the record that is not at its end, and `random` the state of the global generators within a pass; None
    where there is none.
    """

    members: Sequence[Member]
    best: Sequence[Member]
    parts: Parts
    running: Running | None = None
    random: RandomState | None = None
    keep: Sequence[Member] = ()


def save(states: Sequence[State], *, flush: Sequence[Path] = (), write_buffer: WriteBuffer | None = None) -> None:
    """Write the whole states, and the weights that are judged of those that are the best. The files of `flush` are on
    the disk before. With an `write_buffer`, what can wait waits there."""
    lasts = [_last(state) for state in states]
    kept = [_kept(state.keep, state.parts) for state in states if state.keep]
    _write(lasts + kept + [_best(state.best, state.parts) for state in states if state.best], flush, write_buffer)


def save_best(members: Sequence[Member], parts: Parts) -> None:
    """Write the weights that are judged, the best of all these members; of none, nothing."""
    if members:
        _write([_best(members, parts)])


@dataclass(frozen=True)
class _Checkpoint:
    """What is to be at the first of the paths; the others become names of the same file."""

    paths: list[Path]
    trial: Trial
    state: dict[str, Any]
    format: int = FORMAT


def _last(training: State) -> _Checkpoint:
    first, *others = training.members
    parts, running = training.parts, training.running
    state = {
        "progress": first.progress.state_dict(),
        "others": {member.trial.id: member.progress.state_dict() for member in others},
        "classes": list(parts.class_names),
        "model": parts.model.state_dict(),
        "ema": None if parts.ema is None else parts.ema.state_dict(),
        "optimizer": packed(parts.optimizer.state_dict()),
        "schedule": parts.schedule.state_dict(),
        "scaler": None if parts.precision.scaler is None else parts.precision.scaler.state_dict(),
    }
    state |= {} if running is None else {"running": running.state_dict()}
    state |= {} if training.random is None else {"random": training.random}
    paths = [last_path(member.folder) for member in training.members]
    return _Checkpoint(paths, first.trial, state, FORMAT if running is None else WITHIN_RECORD)


def _best(members: Sequence[Member], parts: Parts) -> _Checkpoint:
    return _Checkpoint([best_path(member.folder) for member in members], members[0].trial, _weights(members, parts))


def _kept(members: Sequence[Member], parts: Parts) -> _Checkpoint:
    paths = [kept_path(member.folder, member.progress.epoch) for member in members]
    return _Checkpoint(paths, members[0].trial, _weights(members, parts))


def _weights(members: Sequence[Member], parts: Parts) -> dict[str, Any]:
    first, *others = members
    return {
        "epoch": first.progress.epoch,
        "others": {member.trial.id: None for member in others},
        "classes": list(parts.class_names),
        "model": parts.evaluated.state_dict(),
    }


def read_last(folder: Path, trial: Trial, device: torch.device) -> dict[str, Any]:
    """What `save_last` wrote, in tensors that nothing else holds. Raises TrainingError `checkpoint-corrupt`."""
    return _read(last_path(folder), trial, device)


def progress_in(state: dict[str, Any], trial: Trial) -> Progress | None:
    """How far the trial is in a state of `read_last`; None where it has no part in it."""
    progress = state["progress"] if state["trial"] == trial.id else state.get("others", {}).get(trial.id)
    return None if progress is None else Progress.from_state_dict(progress)


def num_steps_in(state: dict[str, Any]) -> int:
    """How many steps were taken up to a state of `read_last`."""
    running, progress = state.get("running"), state["progress"]
    steps: int = progress["step"] if running is None else running["step"]
    return steps


def running_in(state: dict[str, Any] | None, parts: Parts) -> Running | None:
    """The record that was in the making; None at its end."""
    running = None if state is None else state.get("running")
    return None if running is None else Running.from_state_dict(running, parts.device, parts.layers)


def lend_last(source: Path, folder: Path) -> None:
    """Have in `folder` the state that is in the folder `source`; it holds the trials of both."""
    _link(last_path(source), last_path(folder), _digests(last_path(source)))


def load_best(folder: Path, trial: Trial, device: torch.device, *, epoch: int) -> dict[str, Any]:
    """The `state_dict` of the best weights. Raises TrainingError `checkpoint-corrupt`, also for another epoch's."""
    return _load_weights(best_path(folder), trial, device, epoch)


def load_kept(folder: Path, trial: Trial, device: torch.device, *, epoch: int) -> dict[str, Any]:
    """The `state_dict` of the weights that were kept of an epoch. Raises TrainingError `checkpoint-corrupt`."""
    return _load_weights(kept_path(folder, epoch), trial, device, epoch)


def _load_weights(path: Path, trial: Trial, device: torch.device, epoch: int) -> dict[str, Any]:
    state = _read(path, trial, device)
    if state["epoch"] != epoch:
        raise _corrupt(path, f"is of epoch {state['epoch']}, not {epoch}")
    weights: dict[str, Any] = state["model"]
    return weights


def restore(state: dict[str, Any], parts: Parts) -> None:
    """Put a loaded state into the parts. Its tensors may become the parts' own.

    Raises TrainingError `classes-differ`: with classes in another order, weights and data would not belong together.
    """
    _check_classes(state.get("classes"), parts.class_names)
    parts.model.load_state_dict(state["model"])
    if parts.ema is not None:
        parts.ema.load_state_dict(state["ema"])
    optimizer = state["optimizer"]
    _load_optimizer(parts.optimizer, optimizer if state["format"] == 1 else unpacked(optimizer))
    parts.schedule.load_state_dict(state["schedule"])
    if parts.precision.scaler is not None:
        parts.precision.scaler.load_state_dict(state["scaler"])


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """torch makes what an optimizer keeps of a parameter as exact as that is; a number such as NAdam's product, which
    was kept less exactly, would then not go on as it was."""
    saved = {number: dict(kept) for number, kept in state["state"].items()}
    optimizer.load_state_dict(state)
    numbered = {
        number: parameter
        for group, of in zip(optimizer.param_groups, state["param_groups"], strict=True)
        for number, parameter in zip(of["params"], group["params"], strict=True)
    }
    for number, kept in saved.items():
        now = optimizer.state[numbered[number]] if number in numbered else {}
        for name, value in kept.items():
            if isinstance(value, torch.Tensor) and isinstance(now.get(name), torch.Tensor):
                now[name] = now[name].to(value.dtype)


def _check_classes(trained: list[str] | None, now: Sequence[str]) -> None:
    if trained is None or trained == list(now):  # checkpoints of earlier versions do not say
        return
    number = next(
        (i for i, (a, b) in enumerate(zip(trained, now, strict=False)) if a != b), min(len(trained), len(now))
    )
    before, here = (repr(names[number]) if number < len(names) else "none" for names in (trained, now))
    message = f"the checkpoint was trained with another order of classes: class {number} was {before} and is {here} now"
    raise TrainingError("classes-differ", f"{message}; delete the trial's folder to train it again")


def settle_last(folder: Path) -> None:
    """After an interruption: leave only the digest of the file that is really there in the sidecar."""
    path = last_path(folder)
    write_atomically(_sidecar(path), _digest_lines(path, [hashlib.sha256(path.read_bytes()).hexdigest()]))


def _write(
    checkpoints: Sequence[_Checkpoint], flush: Sequence[Path] = (), write_buffer: WriteBuffer | None = None
) -> None:
    files: list[tuple[Path, bytes | memoryview]] = []
    links: list[tuple[Path, Path, str]] = []
    for checkpoint in checkpoints:
        buffer = io.BytesIO()
        torch.save({"format": checkpoint.format, "trial": checkpoint.trial.id, **_alone(checkpoint.state)}, buffer)
        content = buffer.getbuffer()
        digest = hashlib.sha256(content).hexdigest()
        path, *others = checkpoint.paths
        path.parent.mkdir(parents=True, exist_ok=True)
        files += [_announcement(path, [digest]), (path, content)]
        links += [(path, other, digest) for other in others]
    write_buffer = write_buffer or WriteBuffer()
    write_buffer.add(files, flush)
    if links:
        write_buffer.put()
    for path, other, digest in links:
        _link(path, other, [digest])


def _alone(value: Any) -> Any:
    """The same, without tensors that are views of what many trainings share: torch would save all of that."""
    if isinstance(value, torch.Tensor):
        return value if value.untyped_storage().nbytes() == value.nbytes else value.clone()
    if isinstance(value, dict):
        # A copy of its own kind: torch's has attributes.
        copied = copy.copy(value)
        copied.update({name: _alone(item) for name, item in value.items()})
        return copied
    return [_alone(item) for item in value] if isinstance(value, list) else value


def _link(source: Path, path: Path, digests: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_together([_announcement(path, digests)])
    link_atomically(source, path)


def _announcement(path: Path, digests: Sequence[str]) -> tuple[Path, bytes]:
    """The sidecar goes first and names the file it announces and the one it replaces: a kill in between leaves a pair
    that still verifies."""
    return _sidecar(path), _digest_lines(path, [*digests, *_digests(path)[:1]])


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
    if state.get("format") not in FORMATS or trial.id not in (state.get("trial"), *state.get("others", ())):
        raise _corrupt(path, f"is of format {state.get('format')} and trial {str(state.get('trial'))[:12]}")
    return state


def _digests(path: Path) -> list[str]:
    """The SHA-256s that `path` may have, the newest first."""
    try:
        lines = _sidecar(path).read_text().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    return [line.split()[0] for line in lines if line.strip()]


def _digest_lines(path: Path, digests: Sequence[str]) -> bytes:
    return "".join(f"{digest}  {path.name}\n" for digest in digests).encode()


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _corrupt(path: Path, what: str) -> TrainingError:
    return TrainingError("checkpoint-corrupt", f"{path} {what}; delete the trial's folder to train it again")
