"""The files that the arguments of `craftc lint` name, each once, with its text."""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from craftc.cli.inputs.read_spec import read_file, read_standard_input, unreadable, with_newlines
from craftc.compiler.composing.included_files import is_yaml
from craftc.schemas.diagnostic import Diagnostic

STANDARD_INPUT = Path("-")
STANDARD_INPUT_NAME = "<stdin>"
_FINGERPRINT = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Source:
    """A file by the name that diagnostics give it. `raw` is its text as it is, or a diagnostic where it cannot be read.

    `is_named`: an argument names it, rather than a folder that it lies in.
    """

    name: str
    raw: str | Diagnostic
    is_named: bool = True
    is_standard_input: bool = False

    @property
    def text(self) -> str | Diagnostic:
        """The text as it is linted."""
        return self.raw if isinstance(self.raw, Diagnostic) else with_newlines(self.raw)


def sources(paths: Sequence[Path], standard_input_name: str | None = None) -> Iterator[Source]:
    """Files as they are, `-` for standard input, of a folder its YAML files; one file under two names only once."""
    seen: set[str] = set()
    for path in paths:
        if path == STANDARD_INPUT:
            if "-" not in seen:
                seen.add("-")
                name = standard_input_name or STANDARD_INPUT_NAME
                yield Source(name, read_standard_input(name), is_standard_input=True)
        elif os.path.isdir(path):
            yield from (source for source in _of_folder(path) if _is_new(source.name, seen))
        elif _is_new(str(path), seen):
            yield Source(str(path), read_file(path))


def _is_new(name: str, seen: set[str]) -> bool:
    real = os.path.realpath(name)
    new = real not in seen
    seen.add(real)
    return new


def _of_folder(folder: Path) -> Iterator[Source]:
    """In a fixed order; hidden folders, such as a virtual environment, hold nothing of the user's, and those that runs
    wrote hold copies, whose relative paths lead nowhere."""
    refused: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=refused.append):
        if parent != str(folder) and _is_written_by_run(parent, names):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            # A pipe by such a name would be waited for without end; a broken link is a file that cannot be read.
            if is_yaml(name) and (path.is_file() or not path.exists()):
                yield Source(str(path), read_file(path), is_named=False)
    for error in refused:
        name = str(error.filename)
        yield Source(name, unreadable(name, f"cannot be read: {error.strerror}"))


def _is_written_by_run(folder: str, names: Collection[str]) -> bool:
    """Whether a folder of such files is that of a run, or a trial's in the store."""
    is_run = "spec.yaml" in names and ("plan.json" in names or "spec.resolved.yaml" in names)
    return is_run or ("config.json" in names and _FINGERPRINT.fullmatch(os.path.basename(folder)) is not None)
