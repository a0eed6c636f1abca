"""Keeps what a program handed over last, so that a kill at any moment leaves a whole one.

Values go to `last.pt.<number>`; of a file or folder a copy does, since a program goes on writing its own. It counts
once `last.pt.json` names it, which is written afterwards.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.seal import DamagedError, sealed_json, unsealed
from craftc.training.programs.metrics import ReportError
from craftc.training.programs.state_values import StateError, decoded, encoded

POINTER = "last.pt.json"
_CHUNK = 2**20


@dataclass(frozen=True)
class Kept:
    """A state that is on the disk. `file` is its name; `sha256` has the digest of each of its files, by its path within
    a folder, "" for a single file. `path` is where the program has it, from its folder; None of values."""

    file: str
    sha256: dict[str, str]
    path: str | None = None


def keep(state: Any, *, folder: Path, files: Path, number: int) -> Kept:
    """Write a state into `folder`, flushed to the disk. `files` is the program's folder.

    Raises ReportError `program-bad-state`, and OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"last.pt.{number}"
    if isinstance(state, Path):
        source, path = _within(state, files)
        _remove(folder / name)
        return Kept(name, _copy(source, folder / name), path)
    content = encoded(state)
    write_atomically(folder / name, content)
    return Kept(name, {"": hashlib.sha256(content).hexdigest()})


def point_to(kept: Kept, folder: Path, **more: Any) -> None:
    """Make it the state that the trial goes on from, and remove those before it."""
    content = json.dumps({"format": 1, **more, **asdict(kept)}, indent=2).encode() + b"\n"
    write_atomically(folder / POINTER, sealed_json(content))
    clear(folder, but=kept)


def read_pointer(folder: Path) -> tuple[Kept, dict[str, Any]] | None:
    """What `point_to` wrote; None where there is none. Raises StateError where it is damaged, or what it names is."""
    try:
        content = json.loads(unsealed((folder / POINTER).read_bytes()).content)
        kept = Kept(*(content.pop(name) for name in ("file", "sha256", "path")))
    except FileNotFoundError:
        return None
    except DamagedError as error:
        raise StateError(f"{folder / POINTER} {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{folder / POINTER} cannot be read") from error
    for inner, digest in kept.sha256.items():
        path = folder / kept.file / inner if inner else folder / kept.file
        try:
            found = _digest(path)
        except OSError as error:
            raise StateError(f"{path} cannot be read: {error.strerror or error}") from error
        if found != digest:
            raise StateError(f"{path} does not have the SHA-256 in {POINTER}")
    return kept, content


def restore(kept: Kept, *, folder: Path, files: Path) -> Any:
    """The state: values, or the path, at which the file or folder is again what it was. Raises StateError, OSError."""
    if kept.path is None:
        return decoded((folder / kept.file).read_bytes())
    target = files / kept.path
    # Beside it first, so that a kill leaves the old one or the new one.
    fresh = target.with_name(f".{target.name}.restored")
    _remove(fresh)
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(folder / kept.file, fresh)
    _remove(target)
    fresh.rename(target)
    return target


def clear(folder: Path, *, but: Kept | None = None) -> None:
    """Remove every state in `folder`, with its pointer, but for the one given."""
    kept = () if but is None else (but.file, POINTER)
    if folder.is_dir():
        # The pointer first: it may not name what is gone.
        for path in sorted(folder.iterdir(), key=lambda path: path.name != POINTER):
            if path.name.startswith("last.pt.") and path.name not in kept:
                _remove(path)


def _within(state: Path, files: Path) -> tuple[Path, str]:
    """The file or folder that is handed over, and its path from the program's folder."""
    path = (files / state).resolve()
    if not path.is_relative_to(files.resolve()) or path == files.resolve():
        raise ReportError("program-bad-state", f"the state {state} is not within the folder of the run, {files}")
    if not path.exists():
        raise ReportError("program-bad-state", f"the state {state} does not exist")
    return path, str(path.relative_to(files.resolve()))


def _copy(source: Path, target: Path) -> dict[str, str]:
    """Copy a file or a folder, flushed to the disk; the digest of each file by its path within the folder."""
    if source.is_file():
        return {"": _copy_file(source, target)}
    digests = {}
    target.mkdir()
    for path in _walk(source):
        inner = path.relative_to(source)
        (target / inner).parent.mkdir(parents=True, exist_ok=True)
        digests[str(inner)] = _copy_file(path, target / inner)
    return digests


def _walk(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, followlinks=True):
        yield from (Path(root, name) for name in sorted(names))


def _copy_file(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            written.write(chunk)
        written.flush()
        os.fsync(written.fileno())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
