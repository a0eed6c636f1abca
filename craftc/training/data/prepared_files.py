"""Keeps prepared data as files that every process of a machine maps into its memory: made once, verified when read.

`<store>/prepared/<fingerprint of the prepare stage>/` holds an .npy file for each array, and `manifest.json`, which
says what belongs to it. A folder that is incomplete, or not of the files that the source names now, is made again.
"""

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import craftc
from craftc.schemas.plan import Trial
from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.seal import DamagedError, sealed_json, unsealed

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 4
"""Of the names of arrays and of what is said beside them."""
WORTH_S = 0.1
"""Data that is made faster than this, its imports included, is made by each process, and no array is written. To read
the digits from files takes 15 ms, to make them 1 to 3 s, most of it to import scikit-learn."""

Content = tuple[Mapping[str, NDArray[Any]], Mapping[str, Any]]
"""Arrays by name, and what else there is to know of them, as JSON."""


@dataclass(frozen=True)
class Shelf:
    """Where the prepared data of one fingerprint belongs: `<root>/<fingerprint>/`."""

    root: Path
    fingerprint: str

    @property
    def folder(self) -> Path:
        """Of this data."""
        return self.root / self.fingerprint


def shelf_of(trial: Trial, prepared: Path | None) -> Shelf | None:
    """Where the trial's data belongs in the folder `prepared`; None where it has no stages, or there is no folder."""
    return None if prepared is None or trial.stages is None else Shelf(prepared, trial.stages.prepare)


def features_shelf_of(trial: Trial, prepared: Path | None) -> Shelf | None:
    """Where the features of the trial's frozen backbone belong, beside the data that they are of."""
    features = trial.stages.features if trial.stages else None
    return None if prepared is None or features is None else Shelf(prepared, features)


class UnusableError(Exception):
    """What is on the shelf is not what it should be."""


def take(shelf: Shelf, stamps: Any, make: Callable[[], Content]) -> Content:
    """What is on the shelf; made by `make` where there is nothing, and put there for others if that took long.

    `stamps`, as JSON, tell what it was made of and by from what has changed since. Arrays that come from the shelf are
    mapped: all processes have them in memory once, and a write would stay in the process. What `make` raises passes
    through.
    """
    if not shelf.folder.exists():
        return _made(shelf, stamps, make)
    try:
        found = _read(shelf, stamps)
    except UnusableError as problem:
        log.warning("prepared data in %s is made again: %s", shelf.folder, problem)
        return _made(shelf, stamps, make)
    return make() if found is None else found


def _made(shelf: Shelf, stamps: Any, make: Callable[[], Content]) -> Content:
    """Make it, unless another process does so meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(_lock(shelf))
        except OSError as error:
            # Whether the folder can be written to matters elsewhere; data can be made without it.
            log.warning("prepared data is kept by this process alone: %s", error)
            return make()
        try:
            found = _read(shelf, stamps)
        except UnusableError:
            return _make_and_keep(shelf, stamps, make)
    return make() if found is None else found


@contextmanager
def _lock(shelf: Shelf) -> Iterator[None]:
    # Lazily, for there is nothing to lock where everything is there.
    from filelock import FileLock

    shelf.root.mkdir(parents=True, exist_ok=True)
    with FileLock(shelf.root / f".{shelf.fingerprint}.lock"):
        yield


def _make_and_keep(shelf: Shelf, stamps: Any, make: Callable[[], Content]) -> Content:
    start = time.perf_counter()
    arrays, about = make()
    is_worth_it = time.perf_counter() - start >= WORTH_S
    try:
        _write(shelf, stamps, arrays if is_worth_it else {}, about if is_worth_it else None)
    except OSError as error:
        log.warning("prepared data is kept by this process alone: %s", error)
    return arrays, about


def _read(shelf: Shelf, stamps: Any) -> Content | None:
    """What is on the shelf; None where a note says that it is not worth keeping. Raises UnusableError."""
    manifest, _ = _manifest(shelf)
    if manifest.get("craftc_version") != craftc.__version__:
        raise UnusableError(f"it is of craftc {manifest.get('craftc_version')}")
    if manifest.get("format") != FORMAT:
        raise UnusableError("it is of another format")
    if manifest["stamps"] != json.loads(json.dumps(stamps)):
        raise UnusableError("what it was made of has changed")
    if manifest["about"] is None:
        return None
    return _arrays(shelf, manifest), manifest["about"]


def check_shelf(shelf: Shelf) -> bool:
    """Whether what is on the shelf is sealed, as all is but that of earlier versions. Raises UnusableError where it is
    damaged."""
    manifest, is_sealed = _manifest(shelf)
    _arrays(shelf, manifest)
    return is_sealed


def _manifest(shelf: Shelf) -> tuple[dict[str, Any], bool]:
    """What is known of the shelf, and whether that is sealed."""
    try:
        found = unsealed((shelf.folder / MANIFEST).read_bytes())
        manifest = json.loads(found.content)
    except DamagedError as error:
        raise UnusableError(f"{MANIFEST} {error}") from error
    except (OSError, ValueError) as error:
        raise UnusableError(f"{MANIFEST} cannot be read") from error
    if not isinstance(manifest, dict) or not {"stamps", "about", "arrays"} <= manifest.keys():
        raise UnusableError(f"{MANIFEST} is none of prepared data")
    if manifest.get("fingerprint", shelf.fingerprint) != shelf.fingerprint:
        raise UnusableError(f"{MANIFEST} is that of other data")
    if manifest.get("about_sha256") != _about_digest(manifest["about"]):
        raise UnusableError(f"the order of classes in {MANIFEST}, or what else it says, does not have its SHA-256")
    return manifest, found.is_sealed


def _arrays(shelf: Shelf, manifest: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    return {name: _map(shelf.folder / f"{name}.npy", digest) for name, digest in manifest["arrays"].items()}


def _map(path: Path, digest: str) -> NDArray[Any]:
    try:
        # Copy on write: torch takes no array that is read-only, and pages that are not written to stay shared.
        array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnusableError(f"{path.name} cannot be read") from error
    if _digest(array) != digest:
        raise UnusableError(f"{path.name} does not have the SHA-256 in {MANIFEST}")
    return array


def _write(shelf: Shelf, stamps: Any, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any] | None) -> None:
    """Put a whole folder in the place of what there was."""
    with tempfile.TemporaryDirectory(dir=shelf.root, prefix=f".{shelf.fingerprint}.", ignore_cleanup_errors=True) as t:
        new = Path(t) / "new"
        new.mkdir()
        for name, array in arrays.items():
            with open(new / f"{name}.npy", "wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        manifest = {
            "fingerprint": shelf.fingerprint,
            "craftc_version": craftc.__version__,
            "format": FORMAT,
            "stamps": stamps,
            "about": about,
            "about_sha256": _about_digest(about),
            "arrays": {name: _digest(array) for name, array in arrays.items()},
        }
        write_atomically(new / MANIFEST, sealed_json(json.dumps(manifest, indent=2).encode() + b"\n"))
        if shelf.folder.exists():
            # A process that has it mapped keeps what is mapped.
            os.rename(shelf.folder, Path(t) / "old")
        os.rename(new, shelf.folder)


def _digest(array: NDArray[Any]) -> str:
    """SHA-256 of type, shape and numbers."""
    total = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    total.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
    return total.hexdigest()


def _about_digest(about: Mapping[str, Any] | None) -> str:
    """SHA-256 of what is known beside the arrays: names of classes in another order are other labels."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
