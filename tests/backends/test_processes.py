"""A driver that is interrupted or killed: what the user sees, what is left on the machine and in the store."""

import os
import signal
import subprocess
import sys

import pytest

from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.store.run_folder import RunFolder, create_run
from craftc.runtime.store.store import Store

DRIVER = """
import sys
from pathlib import Path
from craftc.runtime.execute import execute
from craftc.runtime.inline_backend import InlineBackend
from craftc.runtime.on_ray.backend import RayBackend
from craftc.runtime.worker.redirect import output_to
from craftc.runtime.store.run_folder import RunFolder
from craftc.runtime.store.store import Store

class Lines:
    def __init__(self, stream): self.stream = stream
    def start(self, plan, run_name): print("start", run_name, file=self.stream)
    def event(self, event): print(event.type, file=self.stream)
    def close(self): print("close", file=self.stream)

folder = RunFolder(Path(sys.argv[2]))
backend = {"inline": InlineBackend, "ray": RayBackend}[sys.argv[1]]()
with output_to(folder.log) as terminal:
    try:
        execute(folder.plan(), store=Store(folder.path.parents[1] / "store"), backend=backend,
                observers=[Lines(terminal.stdout)], run_folder=folder)
    except KeyboardInterrupt:
        print("interrupted", file=terminal.stdout)
        sys.exit(130)
"""


@pytest.fixture
def run_folder(make_trial, make_plan, tmp_path) -> RunFolder:
    """A run of one quick trial and of one that would go on for minutes, in one process: another imports torch, too."""
    plan = make_plan([make_trial(0), make_trial(1, endless=True)])
    return create_run(tmp_path / "runs", plan, "name: conformance\n")


@pytest.fixture
def driver(backend_name, run_folder, home):
    """A driver in a session of its own, with a terminal's view of it; past the first epoch of the endless trial."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, backend_name, str(run_folder.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    told = []
    while "finished" not in told or told.count("epoch") < 4:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told.append(line.strip())
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_ends_it_cleanly(driver, run_folder, home):
    # As a terminal does: to every process of the group, Ray's among them.
    os.killpg(driver.pid, signal.SIGINT)
    stdout, stderr = driver.communicate(timeout=600)
    assert driver.returncode == 130
    assert stdout.splitlines()[-2:] == ["close", "interrupted"]
    assert stderr == ""
    home.assert_clean()
    assert_resumable(run_folder)


def test_a_killed_driver_leaves_nothing(driver, run_folder, home):
    driver.kill()
    _, stderr = driver.communicate(timeout=600)
    assert stderr == ""
    home.assert_clean(within_s=60)
    assert_resumable(run_folder)


def assert_resumable(run_folder):
    plan, store = run_folder.plan(), Store(run_folder.path.parents[1] / "store")
    quick, endless = plan.trials
    with run_folder.journal():
        (line,) = (run_folder.path / "results.jsonl").read_text().splitlines()
    assert quick.id in line
    num_trained = len(store.history(endless.id))
    events = InlineBackend().run(plan, store)
    assert next(events).reused
    assert 0 < next(events).epoch <= num_trained
    events.close()
