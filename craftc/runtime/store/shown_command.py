"""Writes a command for the user to repeat: complete, and quoted for a shell."""

import shlex
from pathlib import Path

USUAL = Path("runs")
"""The folder of results where no option and no environment variable names one."""


def shown_command(*words: str, runs_dir: Path) -> str:
    """`craftc sync NAME/RUN --runs-dir DIR`, without the option where the folder is the usual one."""
    place = [] if runs_dir == USUAL else ["--runs-dir", str(runs_dir)]
    return shlex.join(["craftc", *words, *place])
