"""A trial's identity: a hash of everything that can change its result, and of nothing else."""

import errno
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from craftc.compiler.reading.tree import copy_tree, set_path
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Path as SpecPath

SEMANTICS_VERSION = 3
"""Counts up when craftc trains every configuration to a different result, so that no old result is reused. A change of
one section, key or component is counted there, by its own `semantics_version`."""
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
FileDigest = Callable[[Path], str]
"""From a file to the hex SHA-256 of its bytes. Raises OSError."""


@dataclass(frozen=True)
class Decisive:
    """A lowered configuration as far as it decides a result: `config` with the content of files in the place of their
    paths, `counted` what of that is no default, by section, and `code` with a digest of the source of each component of
    the user's own."""

    config: dict[str, Any]
    counted: dict[str, Any]
    code: dict[str, str]


def decisive(
    config: dict[str, Any],
    digests: Mapping[SpecPath, str],
    code_digest: Callable[[str], str],
    count: Callable[[str, dict[str, Any]], dict[str, Any]],
) -> Decisive:
    """What counts of a lowered configuration.

    `digests` are those of the files that it names, by the place of the path: what counts is the content found there,
    not where it lies. `code_digest` is asked for the source of each component of the user's own, and `count` what of a
    section is no default.
    """
    content = copy_tree(config) if digests else config
    for place, digest in digests.items():
        set_path(content, place, digest)
    counted = {name: count(name, section) for name, section in content.items()}
    return Decisive(content, counted, {kind: code_digest(kind) for kind in sorted(set(own_kinds(config)))})


def fingerprint(content: Decisive, seed: int) -> str:
    """Hex SHA-256 over the canonical JSON of what decides a result, and the seed."""
    identity = {"semantics": SEMANTICS_VERSION, "seed": seed, "config": content.counted}
    return sha256_of(identity | ({"code": content.code} if content.code else {}))


def sha256_of(identity: dict[str, Any]) -> str:
    """Hex SHA-256 over the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()


def own_kinds(value: Any) -> list[str]:
    """Every `kind` of a configuration that is a user's own."""
    found: list[str] = []
    _collect_own_kinds(value, found)
    return found


def _collect_own_kinds(value: dict[str, Any] | list[Any], found: list[str]) -> None:
    # Called for collections alone: a call for every scalar would cost a large plan a tenth of its time.
    if isinstance(value, dict):
        kind = value.get("kind")
        if isinstance(kind, str) and is_own(kind):
            found.append(kind)
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _collect_own_kinds(item, found)


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, no NaN."""
    return _ENCODER.encode(value)


def hash_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(path: Path, file_digest: FileDigest = hash_file) -> str:
    """`sha256:` and the hash of a file's bytes, or of a folder's relative names and bytes in sorted order.

    `file_digest` may know a file's hash already. Raises OSError where something cannot be read.
    """
    if not path.is_dir():
        if path.exists() and not path.is_file():  # a device or a pipe might never end
            raise OSError(errno.EINVAL, "neither a file nor a folder")
        return f"sha256:{file_digest(path)}"
    total = hashlib.sha256()
    for file_path in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(f"{file_path.relative_to(path).as_posix()}\0{file_digest(file_path)}\n".encode())
    return f"sha256:{total.hexdigest()}"
