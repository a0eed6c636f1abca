"""Checks the files of a trial in the store."""

from collections.abc import Iterator
from pathlib import Path

from craftc.runtime.verifying.finding import Finding, damaged, sound
from craftc.training.foundation.seal import DamagedError, unsealed
from craftc.training.foundation.sidecar import is_whole
from craftc.training.foundation.trial_config import FILENAME as CONFIG
from craftc.training.foundation.trial_config import parse_config
from craftc.training.programs.kept_state import POINTER, read_pointer
from craftc.training.programs.state_values import StateError
from craftc.training.state.history import FILENAME as HISTORY
from craftc.training.state.history import read_history
from craftc.training.state.result_file import FILENAME as RESULT
from craftc.training.state.result_file import read_result

CHECKPOINTS = "checkpoints"


def check_trial(folder: Path) -> Iterator[Finding]:
    """Every file of a trial that a number comes from, and its checkpoints. Raises OSError."""
    yield from _history(folder)
    yield from _result(folder)
    yield from _config(folder)
    yield from _checkpoints(folder)


def _history(folder: Path) -> Iterator[Finding]:
    path = folder / HISTORY
    if path.is_file():
        history = read_history(folder, folder.name)
        if history.fault is not None:
            yield damaged(path, history.fault.removeprefix(f"{HISTORY}: "), "cut", folder.name)
        else:
            yield sound(path, is_sealed=history.is_sealed, trial=folder.name)


def _result(folder: Path) -> Iterator[Finding]:
    path = folder / RESULT
    if path.is_file():
        try:
            yield sound(path, is_sealed=read_result(folder).is_sealed, trial=folder.name)
        except DamagedError as error:
            yield damaged(path, error, "set-aside", folder.name)


def _config(folder: Path) -> Iterator[Finding]:
    path = folder / CONFIG
    try:
        content = path.read_bytes()
        parse_config(content, folder.name)
        yield sound(path, is_sealed=unsealed(content).is_sealed, trial=folder.name)
    except FileNotFoundError:
        if (folder / RESULT).is_file():
            yield damaged(path, "is missing", "rewrite", folder.name)
    except DamagedError as error:
        yield damaged(path, error, "rewrite", folder.name)


def _checkpoints(folder: Path) -> Iterator[Finding]:
    for path in sorted((folder / CHECKPOINTS).glob("*.pt")):
        if is_whole(path):
            yield sound(path, trial=folder.name)
        else:
            fault = f"does not have the SHA-256 in {path.name}.sha256"
            yield damaged(path, fault, "set-aside", folder.name)
    pointer = folder / CHECKPOINTS / POINTER
    if pointer.is_file():
        try:
            read_pointer(pointer.parent)
            yield sound(pointer, is_sealed=unsealed(pointer.read_bytes()).is_sealed, trial=folder.name)
        except StateError as error:
            yield damaged(pointer, error, "set-aside", folder.name)
