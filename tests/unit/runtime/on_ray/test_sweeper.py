"""Which processes still have files of a folder open."""

import subprocess
import sys
from pathlib import Path

from craftc.runtime.on_ray.sweeper import holders

ENDS_ITS_FIRST_THREAD = """
import ctypes, sys, threading, time
kept = open(sys.argv[1], "w")
def hold():
    while "State:\\tZ" not in open(f"/proc/{pid}/task/{pid}/status").read():
        time.sleep(0.01)
    print("alone", flush=True)
    time.sleep(60)
import os
pid = os.getpid()
threading.Thread(target=hold).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_holds_what_the_others_hold(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDS_ITS_FIRST_THREAD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alone\n"
        assert holders(tmp_path) == [process.pid]
        process.kill()
    assert holders(tmp_path) == []
