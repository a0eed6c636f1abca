"""What is said of a process that is ended without a word."""

import io
import subprocess
import sys

import pytest

from craftc.runtime.worker.last_words import last_words

ENDING = """\
import os, sys
from craftc.runtime.worker.last_words import last_words
with last_words("the run was ended", sys.stderr):
    {end}
"""


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("os._exit(1)", 1, "the run was ended\n"),
        ("os.kill(os.getpid(), 9)", -9, "the run was ended\n"),
        ("sys.exit(4)", 4, ""),
        ("raise SystemExit('stopped')", 1, "stopped\n"),
    ],
)
def test_only_an_end_without_a_word_is_spoken_of(end: str, code: int, said: str) -> None:
    command = [sys.executable, "-c", ENDING.format(end=end)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_stream_without_a_file_is_left_alone() -> None:
    stream = io.StringIO()
    with last_words("the run was ended", stream):
        pass
    assert stream.getvalue() == ""
