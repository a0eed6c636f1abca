"""What only Ray has: workers that die, machines that are too small, other clusters."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from craftc.runtime.jobs.backend import BackendError, PlacementError
from craftc.runtime.on_ray.backend import RayBackend
from craftc.runtime.on_ray.sweeper import holders
from craftc.runtime.store.store import Store
from craftc.schemas.result import EpochEnded, TrialFailed, TrialFinished, TrialStarted

pytestmark = pytest.mark.ray


def kill_workers(folder: Path) -> None:
    """SIGKILL every process below `folder` that runs jobs."""
    for pid in holders(folder):
        with contextlib.suppress(OSError):
            if b"ray::RayJob" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)


def programs(folder: Path) -> str:
    """The command lines of the processes that have files below `folder`."""
    lines = []
    for pid in holders(folder):
        with contextlib.suppress(OSError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return "\n".join(lines)


def test_a_job_whose_worker_dies_is_begun_once_more(make_trial, make_plan, tmp_path, home):
    first, endless, behind, last = make_trial(0), make_trial(1, endless=True), make_trial(2), make_trial(3)
    store = Store(tmp_path / "store")
    num_starts, told = 0, []
    for event in RayBackend().run(make_plan([first, endless, behind], [last], max_concurrent=1), store):
        told.append(event)
        num_starts += isinstance(event, TrialStarted) and event.trial == endless.id
        if isinstance(event, EpochEnded) and event.record.trial == endless.id and event.record.epoch > 1:
            kill_workers(home.path)
        elif isinstance(event, EpochEnded) and event.record.trial == first.id:
            # Of Ray's own programs, only what a run needs.
            running = programs(home.path)
            assert ("raylet" in running, "ray::RayJob" in running) == (True, True)
            assert not any(name in running for name in ("autoscaler", "dashboard/", "runtime_env/agent", "Agent"))

    of_first = [event for event in told if isinstance(event, TrialFinished) and event.result.trial == first.id]
    assert [event.reused for event in of_first] == [False]
    assert num_starts == 2
    starts = [event for event in told if isinstance(event, TrialStarted) and event.trial == endless.id]
    assert starts[1].epoch > 0
    (failure,) = (event for event in told if isinstance(event, TrialFailed))
    assert (failure.trial, failure.code) == (endless.id, "worker-died")
    assert "2 times" in failure.message
    assert "worker process has died" in failure.traceback
    # Neither another job nor the other trials of the same one fail with it.
    assert store.is_finished(behind.id)
    assert store.is_finished(last.id)
    home.assert_clean()


HOLDER = """
import fcntl, pathlib, sys, time
with open(sys.argv[1]) as lock:
    print("waits", flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    while list(pathlib.Path(sys.argv[2]).glob("craftc-*")):
        time.sleep(0.01)
    time.sleep(1)
"""
"""Gets the lock of a trial in the moment in which the worker lets go of it, and keeps it until Ray is gone, and longer:
as a worker does that a busy machine has no time to end."""


def test_closing_waits_until_the_trials_are_free(make_trial, make_plan, tmp_path, home):
    trial = make_trial(0, endless=True)
    store = Store(tmp_path / "store")
    events = RayBackend().run(make_plan([trial]), store)
    assert any(isinstance(event, EpochEnded) for event in events)
    command = [sys.executable, "-c", HOLDER, str(store.root / ".locks" / trial.id), str(home.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"waits\n"
        time.sleep(0.5)  # from the line to the lock
        events.close()
        with store.lock(trial.id, timeout_s=0):
            assert holder.wait(600) == 0


@contextlib.contextmanager
def another_cluster(port, **variables):
    """The address of another user's cluster of one CPU on this machine, started with `variables` beside ours."""
    folder = tempfile.mkdtemp(prefix="other-", dir="/tmp")
    ray = Path(sys.executable).with_name("ray")
    command = [ray, "start", "--head", "--block", f"--port={port}", "--num-cpus=1", f"--temp-dir={folder}"]
    options = ["--include-dashboard=false", "--disable-usage-stats", "--node-ip-address=127.0.0.1"]
    # As a private Ray has it: for machines that do much else.
    patience = {"RAY_worker_register_timeout_seconds": "900", "RAY_agent_register_timeout_ms": "900000"}
    process = subprocess.Popen(
        [*command, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": folder} | patience | variables,
    )
    try:
        wait_for(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(600)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(free_ports):
    """Another cluster, whose address stands in RAY_ADDRESS."""
    with another_cluster(*free_ports(1)) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", address)
        yield address


def wait_for(port):
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no cluster at port {port}")


@pytest.fixture
def with_token(tmp_path):
    """Runs Python in a process of its own, of a user in whose home there is a token."""
    (tmp_path / "home" / ".ray").mkdir(parents=True)
    (tmp_path / "home" / ".ray" / "auth_token").write_text("a" * 32)
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_A")}

    def run(*lines, **variables):
        env_of_run = env | {"HOME": str(tmp_path / "home")} | variables
        command = [sys.executable, "-c", "\n".join(lines)]
        return subprocess.run(command, env=env_of_run, capture_output=True, text=True, check=False)

    return run


def num_finished(events):
    return sum(isinstance(event, TrialFinished) for event in events)


def test_asking_for_the_token_after_ray_is_imported_does_no_harm(with_token, home):
    done = with_token(
        "import ray; from contextlib import nullcontext",
        "import craftc.runtime.submitting.job_server",
        "from craftc.runtime.on_ray.cluster import private_ray",
        "with private_ray(nullcontext): print(len(ray.nodes()))",
    )
    assert done.stdout == "1\n", done.stderr


@pytest.fixture(scope="class")
def tokenless(free_ports):
    """A cluster that asks for no token, for as long as tests of it run."""
    with another_cluster(*free_ports(1), RAY_AUTH_MODE="disabled") as address:
        yield address


@pytest.mark.parametrize("named", ["address", "auto"])
class TestTokenless:
    def test_a_token_is_not_shown_to_a_cluster_that_asks_for_none(self, named, tokenless, with_token, tmp_path):
        done = with_token(
            "import sys; from pathlib import Path",
            "from craftc.runtime.on_ray.auth_token import use_auth_token",
            "from craftc.runtime.on_ray.cluster import joined_ray",
            f"address = {tokenless if named == 'address' else 'auto'!r}",
            "use_auth_token(address)",
            f"with joined_ray(address, shared=Path({str(tmp_path)!r})):",
            "    import ray",
            "    actor = ray.remote(type('Actor', (), {'answer': lambda self: 42})).remote()",
            "    print(ray.get(actor.answer.remote(), timeout=60))",
            **({"RAY_ADDRESS": tokenless} if named == "auto" else {}),
        )
        assert done.stdout.splitlines()[-1:] == ["42"], done.stderr


def test_a_private_ray_beside_another_cluster(cluster, make_trial, make_plan, tmp_path, home):
    store = Store(tmp_path / "store")
    # Two CPUs: the other cluster has one.
    assert num_finished(RayBackend().run(make_plan([make_trial(0)], cpu=2), store)) == 1
    assert os.environ["RAY_ADDRESS"] == cluster
    home.assert_clean()


def test_jobs_run_on_a_cluster_that_lives_on(cluster, make_trial, make_plan, tmp_path):
    for seed in (0, 1):
        store = Store(tmp_path / f"store{seed}")
        assert num_finished(RayBackend(cluster).run(make_plan([make_trial(seed)]), store)) == 1
        assert [path.name for path in store.root.iterdir() if path.name.startswith(".tune")] == []


def test_a_job_that_fits_on_no_machine_is_refused_before_it_starts(cluster, make_trial, make_plan, tmp_path):
    with pytest.raises(PlacementError, match=r"a job asks for 3 CPUs and 0.5 GPUs, .* there is 1 CPUs and 0 GPUs"):
        next(RayBackend(cluster).run(make_plan([make_trial(0)], cpu=3, gpu=0.5), Store(tmp_path)))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:9", 'no Ray cluster answers at "127.0.0.1:9"'),
        ("localhost", '"localhost" is no address'),
        ("ray://127.0.0.1:10001", 'no Ray cluster answers at "ray://127.0.0.1:10001"'),
    ],
)
def test_a_cluster_that_does_not_answer(address, message, make_trial, make_plan, tmp_path):
    with pytest.raises(BackendError, match=message) as caught:
        next(RayBackend(address).run(make_plan([make_trial(0)]), Store(tmp_path)))
    assert caught.value.code == "cluster-unreachable"
