"""Checks that every node of a Ray cluster sees the same store and has what a job needs."""

import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from craftc.runtime.jobs.backend import BackendError

PROBE_TIMEOUT_S = 60.0
NEEDED = ("pydantic", "numpy", "torch", "filelock")
"""What a job imports."""


def check_nodes(folder: Path, packages: Mapping[str, str]) -> None:
    """Raise BackendError where a machine of the connected Ray lacks a package, or sees another folder than this one.

    `packages` are those that the trials need beside what every job imports, each with the command that installs it.

    A token is written into the folder here; a task on each machine reads it and answers with a file of its own beside
    it. Nothing is left there.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix=".shared-", dir=folder, ignore_cleanup_errors=True) as place:
        Path(place, "token").write_text(token)
        answers = _ask_all(nodes, place, [*NEEDED, *packages])
        for node, answer in zip(nodes, answers, strict=True):
            name = str(node["NodeName"])
            if missing := answer["missing"]:
                message = f"machine {name} of the cluster has no {', '.join(missing)} in {answer['python']}"
                mends = dict.fromkeys(packages.get(name, "install craftc[run]") for name in missing)
                raise BackendError("package-missing", f"{message}; {', '.join(mends)} there")
            theirs = Path(place, str(node["NodeID"]))
            if answer["token"] != token or not (theirs.is_file() and theirs.read_text() == token):
                raise BackendError("runs-dir-not-shared", _not_shared(folder, name, answer["error"]))


def _ask_all(nodes: Sequence[dict[str, Any]], place: str, needed: Sequence[str]) -> list[dict[str, Any]]:
    probe = ray.remote(num_cpus=0, max_retries=0)(_probe())
    asked = []
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked.append(probe.options(scheduling_strategy=there).remote(place, node["NodeID"], needed))
    answers = []
    for node, answer in zip(nodes, asked, strict=True):
        try:
            answers.append(ray.get(answer, timeout=PROBE_TIMEOUT_S))
        except (GetTimeoutError, RayError) as error:
            reason = "no answer" if isinstance(error, GetTimeoutError) else str(error).strip().splitlines()[-1]
            message = f"machine {node['NodeName']} of the cluster runs no task: {reason}"
            raise BackendError("machine-unusable", message) from error
    return answers


def _probe() -> Callable[[str, str, Sequence[str]], dict[str, Any]]:
    """What each machine does. A nested function travels as it is, so that the machine needs no craftc to answer."""

    def probe(place: str, node: str, needed: Sequence[str]) -> dict[str, Any]:
        import importlib.util
        import pathlib
        import sys

        answer: dict[str, Any] = {
            "python": sys.executable,
            "missing": [name for name in (*needed, "craftc") if importlib.util.find_spec(name) is None],
            "token": None,
            "error": "",
        }
        try:
            answer["token"] = pathlib.Path(place, "token").read_text()
            pathlib.Path(place, node).write_text(answer["token"])
        except OSError as error:
            answer["error"] = error.strerror
        return answer

    return probe


def _not_shared(folder: Path, machine: str, error: str) -> str:
    reason = f" ({error})" if error else ""
    return (
        f'machine {machine} of the cluster does not share "{folder}" with the driver{reason}; '
        "name a folder that all of its machines can write to with --runs-dir"
    )
