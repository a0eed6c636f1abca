"""A program with two workers, whose processes meet by gloo."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch.distributed as dist

from craftc.runtime.programs.team import Leader
from craftc.runtime.store.store import Store
from craftc.schemas.plan import Trial
from craftc.training.parts.worker_group import ONE_WORKER

Program = Callable[..., Trial]
WORKER = Path(__file__).parent / "own_code" / "worker_of_two.py"


def run_both(store: Store, *trials: Trial, prunes_at: int = 0) -> list[tuple[int, list[dict[str, Any]]]]:
    """The exit code of each of two workers and the events that it reported. Once one fails, the other is killed."""
    given = json.dumps([trial.model_dump(mode="json") for trial in trials])
    meeting_file = store.root.parent / f"group-{uuid4()}"
    arguments = [str(meeting_file), str(store.root), str(prunes_at), given]
    commands = [[sys.executable, str(WORKER), str(rank), *arguments] for rank in range(2)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        said = {}
        for rank in (1, 0):
            said[rank] = workers[rank].communicate(timeout=300)[0]
            if workers[rank].returncode:
                workers[1 - rank].kill()
    finally:
        for worker in workers:
            worker.kill()
    return [(workers[rank].returncode, [json.loads(line) for line in said[rank].splitlines()]) for rank in range(2)]


def test_the_reports_of_the_first_count_and_one_that_reports_nothing_is_stopped_too(
    program: Program, store: Store
) -> None:
    whole, first = program("averages"), program("averages", reports="first", seed=4, epochs=100)
    (led, events), (followed, others) = run_both(store, whole, first, prunes_at=2)
    assert (led, followed, others) == (0, 0, [])
    assert [event["type"] for event in events[:5]] == ["started", "epoch", "epoch", "epoch", "finished"]
    assert [event["type"] for event in events[5:]] == ["started", "epoch", "epoch", "pruned"]
    assert events[-1]["epoch"] == 2
    for trial, num_epochs in ((whole, 3), (first, 2)):
        # The mean of what both workers have: 1 and 11, 2 and 12, 3 and 13.
        expected = [{"valid/value": 6.0 + n} for n in range(num_epochs)]
        assert [record.metrics for record in store.history(trial.id)] == expected
        for rank, log in enumerate(("output.log", "output.1.log")):
            assert f"rank {rank} epoch {num_epochs}" in (store.folder(trial.id) / log).read_text()


def test_a_worker_that_fails_ends_the_others(program: Program, store: Store) -> None:
    trial = program("averages", fails="worker 1")
    (led, _), (followed, others) = run_both(store, trial)
    assert led != 0
    assert followed != 0
    (failed,) = others
    assert failed["code"] == "program-failed"
    assert failed["message"].startswith("in worker 1: OSError: the data is gone (lab_programs.py:")
    # Both go on from the state of the first record.
    (led, events), (followed, others) = run_both(store, trial)
    assert (led, followed, others) == (0, 0, [])
    assert events[0]["epoch"] == 1
    assert [record.metrics for record in store.history(trial.id)] == [{"valid/value": 5.0 + n} for n in (1, 2, 3)]


def test_processes_meet_at_a_port_that_the_first_worker_holds_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    leader = Leader(ONE_WORKER)
    for name, value in leader.begin(None, 0).items():
        monkeypatch.setenv(name, value)
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("", int(os.environ["MASTER_PORT"])))
    dist.init_process_group("gloo")
    try:
        assert dist.get_world_size() == 1
    finally:
        dist.destroy_process_group()
