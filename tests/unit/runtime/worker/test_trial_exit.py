"""What a trial's code says and how it ends: whatever that is, it is one failure, and the run goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from craftc.disk_full import is_disk_full, place_of
from craftc.plain_text import plain
from craftc.runtime.worker.failure import MOST_SAID, failure
from craftc.runtime.worker.trial_exit import exit_as_error
from craftc.schemas.plan import Trial

TRIAL = Trial(id="a" * 64, variant="base", seed=0, config={})
SPEC = """\
craftc: 1
name: ends
data: {source: digits}
model: {kind: "ends:Net", how: none, num_classes: infer}
objective: cross_entropy
training: {epochs: 1, batch_size: 32, optimizer: {kind: sgd, lr: 0.1}}
ablation: {grid: {model.how: [HOW]}}
"""
NET = """\
import os, signal, sys
import torch

class Net(torch.nn.Module):
    def __init__(self, num_classes: int, how: str = "none"):
        super().__init__()
        self.head = torch.nn.Linear(64, num_classes)
        self.how = how
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if torch.is_grad_enabled() and self.how == "late" and self.calls > 20:
            sys.exit(0)  # behind what is tried first
        if torch.is_grad_enabled():
            end(self.how)
        return self.head(x.flatten(1))

def end(how):
    if how == "sys.exit":
        sys.exit(7)
    if how == "argparse":
        import argparse
        argparse.ArgumentParser().parse_args(["--unknown"])
    if how == "os._exit":
        os._exit(7)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "surrogates":
        raise ValueError("bad \\udcff text")
    if how == "long":
        raise ValueError("x" * 5_000_000)
"""


def craftc(folder: Path, how: str) -> subprocess.CompletedProcess[str]:
    (folder / "spec.yaml").write_text(SPEC.replace("HOW", how))
    (folder / "ends.py").write_text(NET)
    command = [sys.executable, "-m", "craftc", "run", "spec.yaml", "--backend", "inline"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("sys.exit", 1, "its code called sys.exit(7) (ends.py:"),
        ("argparse", 1, "its code called sys.exit(2) (ends.py:"),
        ("surrogates", 1, r"bad \udcff text"),
        ("long", 1, "ValueError: xxx"),
        ("late", 3, "how=late seed 0: failed: its code called sys.exit(0) (ends.py:14)\n"),
        (
            "os._exit",
            7,
            "the run was ended from outside, or by the code of a trial (os._exit, or a crash of compiled code)",
        ),
        ("kill", -signal.SIGKILL, "the run was ended from outside, or by the code of a trial"),
    ],
)
def test_a_trial_that_ends_oddly_is_told_and_ends_in_no_traceback(
    tmp_path: Path, how: str, code: int, said: str
) -> None:
    result = craftc(tmp_path, how)
    assert result.returncode == code, result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr) < 20_000


def test_an_exception_that_says_very_much_is_cut_in_the_middle() -> None:
    failed = failure(TRIAL, ValueError("begin " + "x" * 5_000_000 + " end\udc80"))
    assert len(failed.message) < MOST_SAID + 100
    assert failed.message.startswith("ValueError: begin xxx")
    assert failed.message.endswith(r"xxx end\udc80")
    assert "characters left out" in failed.message
    assert len(failed.model_dump_json()) < 200_000


def test_an_exception_that_says_nothing_is_named() -> None:
    assert failure(TRIAL, ValueError("\n\n")).message == "ValueError: "


def test_plain_text() -> None:
    assert plain("漢字", 10) == "漢字"
    assert plain("a\ud800b", 10) == "a\\ud800b"
    assert plain("abcdefgh", 4) == "ab ... (4 characters left out) ... gh"


def test_an_exit_that_is_none_of_the_trials_passes_through() -> None:
    with pytest.raises(SystemExit):
        exit_as_error(SystemExit(3))


def test_a_full_disk_is_known_in_whatever_it_was_raised_from() -> None:
    full = OSError(28, "No space left on device", "/data/x")
    error = RuntimeError("cannot save")
    error.__cause__ = full
    assert is_disk_full(error)
    assert place_of(error) == "/data/x"
    assert is_disk_full(ExceptionGroup("several", [ValueError(), error]))
    assert failure(TRIAL, error).code == "disk-full"
    assert is_disk_full(OSError(122, "Disk quota exceeded"))
    assert not is_disk_full(OSError(30, "Read-only file system"))
    assert not is_disk_full(None)
