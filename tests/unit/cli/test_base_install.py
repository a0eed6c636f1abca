"""What a user meets who installed craftc without its `run` extra."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_NUMPY = "import sys; sys.modules['numpy'] = None; from craftc.cli.main import main; main()"


def craftc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_running_says_what_to_install(root: Path, tmp_path: Path) -> None:
    result = craftc("run", str(root / "specs/vit_ablation.yaml"), "--runs-dir", str(tmp_path / "runs"))
    assert result.returncode == 1
    assert "pip install 'craftc[run]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["lint", "plan"])
def test_linting_and_planning_go_without(root: Path, command: str) -> None:
    assert craftc(command, str(root / "specs/vit_ablation.yaml")).returncode == 0


def test_so_does_comparing_specs(root: Path) -> None:
    result = craftc("compare", str(root / "specs/vit_ablation.yaml"), str(root / "specs/vit_search.yaml"))
    assert result.returncode == 0
    assert "Fields: " in result.stdout
