"""Keeps in the store whether like trials are best trained as one batch, and how many, for each kind of machine."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

import craftc
from craftc.compiler.own_code.module_files import find_module
from craftc.compiler.planning.identity.fingerprint import hash_file, own_kinds, sha256_of
from craftc.compiler.planning.passes.pack import FindingOf
from craftc.compiler.planning.similarity import device_kind, similarity_keys
from craftc.runtime.store.store import Store
from craftc.schemas.batching import BatchFinding
from craftc.schemas.plan import JobResources, Trial
from craftc.training.foundation.atomic_file import write_atomically

FOLDER = "batching"
"""In the store. What is removed there is found out again."""


@dataclass(frozen=True)
class FindingFile:
    """Where a finding is, or will be."""

    path: Path

    def read(self) -> BatchFinding | None:
        """None where nothing is known, and where the file is damaged."""
        try:
            return BatchFinding.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, finding: BatchFinding) -> None:
        """Keep it; the last of several that find out at a time stays."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, (finding.model_dump_json(indent=2) + "\n").encode())


def finding_file(
    store: Store, trial: Trial, *, device: str, cpus: int, import_folders: Sequence[str] = ()
) -> FindingFile:
    """For trials like this one, trained on `device` with `cpus` threads on a machine like this.

    `import_folders` are where the user's own code is, where the import path does not have them. Imports nothing of it.
    """
    kind = device_kind(device)
    folders = [Path(folder) for folder in (*import_folders, *sys.path)]
    found = {
        "likeness": similarity_keys(trial.config, kind)[0],
        "code": {own: _source(own, folders) for own in sorted(set(own_kinds(trial.config)))},
        "machine": [*_machine(), _gpus() if kind != "cpu" else "", cpus],
        "craftc": craftc.__version__,
    }
    return FindingFile(store.root / FOLDER / f"{sha256_of(found)}.json")


def findings_in(store: Store, import_folders: Sequence[str]) -> FindingOf:
    """What the store knows of groups, for the compiler; GPUs are taken to be there where a job is given some."""

    @cache
    def read(path: Path) -> BatchFinding | None:
        return FindingFile(path).read()

    def finding_of(trial: Trial, resources: JobResources) -> BatchFinding | None:
        if not (store.root / FOLDER).is_dir():
            return None
        device = "cuda" if resources.gpu > 0 else "cpu"
        return read(finding_file(store, trial, device=device, cpus=resources.cpu, import_folders=import_folders).path)

    return finding_of


def _source(kind: str, folders: Sequence[Path]) -> str:
    file = find_module(kind.partition(":")[0], folders).file
    try:
        return "" if file is None else hash_file(file)
    except OSError:
        return ""


@lru_cache(maxsize=1)
def _machine() -> tuple[str, int, str]:
    """The kind of CPU, how many, and the version of torch, without importing it."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = ""
    return _cpu_name(), os.cpu_count() or 1, torch


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


def _gpus() -> str:
    """The kinds of NVIDIA GPUs that the driver lists."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    try:
        lines = [line for file in files for line in file.read_text().splitlines() if line.startswith("Model")]
    except OSError:
        return ""
    return ",".join(sorted({line.partition(":")[2].strip() for line in lines}))
