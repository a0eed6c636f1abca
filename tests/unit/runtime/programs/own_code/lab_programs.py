"""Programs as people write them, and as they go wrong."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import craftc


def counts(run: craftc.Run, *, epochs: int = 5, lr: float = 0.5, keeps: bool = True, dies_at: int = 0) -> None:
    """Its value depends on all that went before."""
    state = run.state or {"epoch": 0, "value": float(run.seed)}
    for epoch in range(state["epoch"] + 1, epochs + 1):
        state = {"epoch": epoch, "value": state["value"] * 0.9 + lr}
        print("epoch", epoch, "of", os.getpid())
        if epoch == dies_at and not (run.folder / "died").exists():
            (run.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        metrics = {"train/loss": 1 / state["value"], "valid/value": state["value"]}
        run.report(metrics, state=state if keeps else None, step=10 * epoch)
    run.finish({"test/value": state["value"] + 1})


def fails(run: craftc.Run, *, at: int = 2) -> None:
    for epoch in range(1, at + 1):
        run.report({"train/loss": 1 / epoch})
    raise KeyError("no such weight")


def says_nothing(run: craftc.Run) -> None:
    print("working, working")


def only_finishes(run: craftc.Run) -> None:
    run.finish({"test/accuracy": 0.75})


def leaves(run: craftc.Run, *, how: str) -> None:
    run.report({"train/loss": 1.0})
    match how:
        case "code":
            sys.exit(3)
        case "text":
            sys.exit("no data here")
        case "zero":
            sys.exit(0)
        case "at-once":
            os._exit(4)
        case "at-once-zero":
            os._exit(0)
        case "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        case "segfault":
            ctypes.string_at(0)


def reports_oddly(run: craftc.Run, *, what: str) -> None:
    odd: dict[str, object] = {
        "name": {"loss": 1.0},
        "value": {"train/loss": "low"},
        "bool": {"train/loss": True},
        "nothing": {},
        "list": {"train/loss": [1.0, 2.0]},
    }
    run.report(odd[what])  # type: ignore[arg-type]


def hands_over_oddly(run: craftc.Run, *, what: str) -> None:
    itself: list[object] = []
    itself.append(itself)
    odd = {
        "object": {"model": {"weights": threading.Lock()}},
        "outside": Path("/etc/hostname"),
        "missing": run.folder / "nothing.pt",
        "whole": run.folder,
        "itself": itself,
    }
    run.report({"train/loss": 1.0}, state=odd[what])


def is_not_finite(run: craftc.Run) -> None:
    for value in (0.5, float("nan"), float("inf"), 0.4):
        run.report({"train/loss": value, "valid/value": 1.0})


def forgets_a_metric(run: craftc.Run) -> None:
    run.report({"valid/accurracy": 0.5})


def swallows(run: craftc.Run, *, goes_on: bool = True) -> None:
    """Its value never gets better."""
    for epoch in range(10):
        try:
            run.report({"valid/value": 1.0}, state={"epoch": epoch})
        except craftc.Stopped as stopped:
            print("stopped by", stopped.reason)
            if not goes_on:
                run.finish({"test/value": float(epoch)})
                return


def prints(run: craftc.Run, *, num_lines: int) -> None:
    for number in range(num_lines):
        print(f"line {number:07} {'x' * 84}")
    sys.stdout.flush()
    os.write(2, b"the last words\n")
    run.report({"train/loss": 1.0})


def closes_stdout(run: craftc.Run) -> None:
    sys.stdout.close()
    os.close(1)
    run.report({"train/loss": 1.0})


def wanders(run: craftc.Run) -> None:
    os.chdir("/")
    (run.folder / "where").write_text(os.getcwd())
    run.report({"train/loss": 1.0}, state=run.folder / "where")


def starts_others(run: craftc.Run, *, ends: str) -> None:
    """A forked child and another program, which would both live for minutes."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    other = subprocess.Popen(["sleep", "600"])
    (run.folder / "children").write_text(f"{child} {other.pid}")
    run.report({"train/loss": 1.0})
    if ends == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif ends == "hangs":
        time.sleep(600)


def reports_from_a_fork(run: craftc.Run) -> None:
    if os.fork() == 0:
        try:
            run.report({"train/loss": 2.0})
        except Exception as error:
            (run.folder / "said").write_text(str(error))
        os._exit(0)
    os.wait()
    run.report({"train/loss": 1.0})


def reports_from_a_thread(run: craftc.Run) -> None:
    thread = threading.Thread(target=run.report, args=({"train/loss": 1.0},))
    thread.start()
    thread.join()
    forever = threading.Thread(target=time.sleep, args=(0.2,))
    forever.start()


def keeps_a_file(run: craftc.Run, *, epochs: int = 4, dies_at: int = 0) -> None:
    """It overwrites its own checkpoint in place, and dies with half of it written."""
    path = run.folder / "last.txt"
    done = 0 if run.state is None else int(run.state.read_text())
    assert run.state in (None, path)
    for epoch in range(done + 1, epochs + 1):
        path.write_text("torn")
        if epoch == dies_at and not (run.folder / "died").exists():
            (run.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        path.write_text(str(epoch))
        run.report({"train/loss": 1 / epoch}, state=path)


def shows_itself(run: craftc.Run, *, folder: Path | None = None, sizes: tuple[int, ...] = (1, 2)) -> None:
    import random

    (run.folder / "random").write_text(str(random.random()))
    print("hash", hash("a"), "threads", os.environ["OMP_NUM_THREADS"], "cwd", os.getcwd(), "seed", run.seed)
    print("folder", repr(folder), "sizes", sizes, "workers", run.workers, "device", run.device)
    run.report({"train/loss": 1.0})


def takes_long(run: craftc.Run, *, seconds: float = 0.2, epochs: int = 1000, shows_pid: bool = False) -> None:
    if shows_pid:
        (run.folder / "pid").write_text(str(os.getpid()))
    done = 0 if run.state is None else run.state
    for epoch in range(done + 1, epochs + 1):
        time.sleep(seconds)
        run.report({"train/loss": 1 / epoch}, state=epoch)


def averages(
    run: craftc.Run, *, epochs: int = 3, reports: str = "all", fails: str = "never", seconds: float = 0.0
) -> None:
    """Each worker has a number of its own; what is reported is their mean."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo")
    assert (dist.get_rank(), dist.get_world_size()) == (run.workers.rank, run.workers.size)
    done = 0 if run.state is None else run.state["epoch"]
    for epoch in range(done + 1, epochs + 1):
        if epoch == 2 and fails == f"worker {run.workers.rank}" and not (run.folder / "failed").exists():
            (run.folder / "failed").touch()
            raise OSError("the data is gone")
        time.sleep(seconds)
        value = torch.tensor([float(10 * run.workers.rank + epoch)])
        dist.all_reduce(value)
        print("rank", run.workers.rank, "epoch", epoch, flush=True)
        if reports == "all" or run.workers.is_first:
            run.report({"valid/value": value.item() / run.workers.size}, state={"epoch": epoch})
    dist.destroy_process_group()
