"""benchmarks/chaos.py in small: damaged files, full disks, killed drivers, and nothing lost."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = shutil.which("unshare")
CAN_MOUNT = (
    UNSHARE is not None
    and subprocess.run(
        [UNSHARE, "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    ).returncode
    == 0
)


def chaos(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "benchmarks" / "chaos.py"), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=800, check=False)


def test_damaged_files_and_killed_drivers_lose_nothing(root: Path) -> None:
    result = chaos(root, "--corruptions", "4", "--kills", "3", "--disks", "0", "--seed", "1")
    assert result.returncode == 0, result.stderr
    rows = [line.split("|") for line in result.stdout.splitlines()[2:]]
    assert [(row[2].strip(), row[4].strip()) for row in rows] == [("4", "0"), ("3", "0")]


@pytest.mark.skipif(not CAN_MOUNT, reason="a small file system is mounted by root alone, on Linux")
def test_a_full_disk_is_one_sentence_and_the_next_run_is_right(root: Path) -> None:
    result = chaos(root, "--corruptions", "0", "--kills", "0", "--disks", "5")
    assert result.returncode == 0, result.stderr
    row = next(line for line in result.stdout.splitlines() if "the disk is full" in line)
    assert "ended in one sentence, exit 5" in row
    assert row.endswith("| 0 |")
