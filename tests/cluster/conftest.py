"""A Ray cluster of two machines on this one, with a token, ports and folders of its own; and craftc as a process."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.runtime.on_ray.sweeper import sweep

Craftc = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


@dataclass(frozen=True)
class Cluster:
    """Where it is: for `run`, and for `submit`."""

    address: str
    url: str


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with the token of the cluster."""
    path = tmp_path_factory.mktemp("home")
    (path / ".ray").mkdir()
    (path / ".ray" / "auth_token").write_text(uuid.uuid4().hex)
    return path


@pytest.fixture(scope="session")
def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "SLURM_", "CRAFTC_"))}
    return {
        **kept,
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
        "PYTHONPATH": str(ROOT),
        "RAY_USAGE_STATS_ENABLED": "0",
        # As a private Ray has it: for machines that do much else.
        "RAY_worker_register_timeout_seconds": "900",
        "RAY_agent_register_timeout_ms": "900000",
    }


@pytest.fixture(scope="session")
def craftc(environment: dict[str, str]) -> Craftc:
    def call(folder: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "craftc", *arguments]
        env = {**environment, **changed}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)

    return call


@pytest.fixture(scope="session")
def craftc_here(environment: dict[str, str]) -> Craftc:
    """The same in this process, for what neither imports Ray nor starts anything: no Ray of others is affected."""
    unset = dict.fromkeys(os.environ.keys() - environment.keys())

    def call(folder: Path, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        with contextlib.chdir(folder):
            done = CliRunner(env={**unset, **environment, **changed}).invoke(app, arguments)
        assert isinstance(done.exception, SystemExit | None), done.exc_info
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def cluster(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Cluster]:
    # Short: Ray makes sockets some 70 characters below it.
    folder = Path(tempfile.mkdtemp(prefix="cl-", dir="/tmp"))
    gcs, dashboard, client, *agents = free_ports(5)
    # `ray start --head` asks for a token of its own accord where there is one; a machine that joins has to be told.
    env = {**environment, "RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "token"}
    common = ["start", "--num-cpus=1", "--disable-usage-stats", "--object-store-memory=80000000"]
    head = ["--head", f"--port={gcs}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    head += ["--dashboard-host=127.0.0.1", f"--dashboard-agent-listen-port={agents[0]}"]
    try:
        for name, options in (
            ("head", head),
            ("worker", [f"--address=127.0.0.1:{gcs}", f"--dashboard-agent-listen-port={agents[1]}"]),
        ):
            # Each in folders of its own, as two machines are: one would clear away what the other unpacked.
            command = [*RAY, *common, *options, f"--temp-dir={folder / name}"]
            subprocess.run(
                command, cwd=tmp_path_factory.mktemp(name), env=env, capture_output=True, timeout=600, check=True
            )
        yield Cluster(f"127.0.0.1:{gcs}", f"http://127.0.0.1:{dashboard}")
    finally:
        sweep(folder, spare=os.getpid())
        shutil.rmtree(folder, ignore_errors=True)
