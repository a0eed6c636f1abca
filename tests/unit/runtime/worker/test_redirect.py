"""What the process prints goes to the log, what is for the user to where the user looks."""

import subprocess
import sys

import pytest

from craftc.runtime.worker.redirect import output_to

EVERYTHING = """
import ctypes, logging, os, subprocess, sys, warnings
from pathlib import Path
from craftc.runtime.worker.redirect import output_to
print("before")
try:
    with output_to(Path(sys.argv[1])) as terminal:
        print("log: print")
        os.write(1, b"log: descriptor 1\\n")
        os.write(2, b"log: descriptor 2\\n")
        subprocess.run(["sh", "-c", "echo log: child"])
        warnings.warn("log: warning")
        logging.warning("log: logging")
        libc = ctypes.CDLL(None)
        libc.puts(b"log: C")
        libc.fflush(None)
        print("user: out", file=terminal.stdout)
        print("user: err", file=terminal.stderr)
        if sys.argv[2] == "raise":
            raise KeyError("user: raised")
finally:
    print("after")
    logging.warning("after: logging")
"""


@pytest.mark.parametrize("ending", ["end", "raise"])
def test_everything_goes_to_the_log_but_what_is_for_the_user(tmp_path, ending):
    log = tmp_path / "log"
    command = [sys.executable, "-c", EVERYTHING, str(log), ending]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["before", "user: out", "after"]
    assert done.stderr.splitlines()[:2] == ["user: err", "WARNING:root:after: logging"]
    assert ("KeyError" in done.stderr) == (ending == "raise")
    logged = log.read_text()
    for source in ("print", "descriptor 1", "descriptor 2", "child", "warning", "logging", "C"):
        assert f"log: {source}" in logged
    assert "user" not in logged
    assert "after" not in logged


def test_replaced_streams_are_the_users_terminal(tmp_path, capsys):
    with output_to(tmp_path / "log") as terminal:
        print("noise")
        print("told", file=terminal.stdout)
    print("after")
    assert capsys.readouterr().out == "told\nafter\n"
    assert (tmp_path / "log").read_text() == "noise\n"


def test_it_appends(tmp_path):
    for text in ("one", "two"):
        with output_to(tmp_path / "log"):
            print(text)
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_a_log_that_cannot_be_written_changes_nothing(tmp_path, capfd):
    with pytest.raises(FileNotFoundError), output_to(tmp_path / "missing" / "log"):
        pass
    print("still here")
    assert capfd.readouterr().out == "still here\n"
