"""Writes and reads a trial's `result.json`, which is sealed and names the seal of the trial's history."""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from craftc.schemas.result import Result
from craftc.training.foundation.seal import DamagedError, sealed_json, unsealed
from craftc.training.state.history import FILENAME as HISTORY
from craftc.training.state.history import history_seal, seal_of_content

FILENAME = "result.json"
_HISTORY = re.compile(rb'\A\{\n  "history": "sha256:([0-9a-f]{64})",\n')


@dataclass(frozen=True)
class ReadResult:
    """A result, and whether it is sealed, as all are but those of earlier versions of craftc."""

    result: Result
    is_sealed: bool


def result_content(result: Result, folder: Path, history: bytes | None = None) -> bytes:
    """What stands in the file of a trial whose history is in `folder`, or is to be `history`."""
    content = (result.model_dump_json(indent=2) + "\n").encode()
    seal = history_seal(folder) if history is None else seal_of_content(history)
    named = b"" if seal is None else b'  "history": "sha256:%b",\n' % seal.encode()
    return sealed_json(b"{\n" + named + content.removeprefix(b"{\n"))


def read_result(folder: Path) -> ReadResult:
    """The result in a trial's folder, which is named by the trial.

    Raises FileNotFoundError and NotADirectoryError where there is none, another OSError, and DamagedError: also for one
    of another trial, and where the history is not the one that it names.
    """
    content = (folder / FILENAME).read_bytes()
    found = unsealed(content)
    named = _HISTORY.match(found.content) if found.is_sealed else None
    plain = found.content if named is None else b"{\n" + found.content[named.end() :]
    try:
        result = Result.model_validate_json(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DamagedError(f"is no result: {f'{place}: ' if place else ''}{' '.join(first['msg'].split())}") from error
    if result.trial != folder.name:
        raise DamagedError(f"is that of trial {result.trial[:12]}")
    seal = history_seal(folder)
    if named is not None and named[1].decode() != seal:
        raise DamagedError(f"names another {HISTORY} than the one beside it, which is damaged or missing")
    if not found.is_sealed and seal is not None:
        raise DamagedError(f"has lost its seal, which {HISTORY} beside it has")
    return ReadResult(result, found.is_sealed)
