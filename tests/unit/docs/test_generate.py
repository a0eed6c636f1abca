"""What docs/generate.py writes is what stands in the repository."""

import shutil
import subprocess
import sys
from pathlib import Path

GENERATED = (
    "docs/reference/language.md",
    "docs/reference/components.md",
    "docs/reference/errors.md",
    "schemas/experiment.v1.json",
    "schemas/base.v1.json",
    "schemas/search_space.v1.json",
)


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "docs" / "generate.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_generated_file_is_up_to_date(root: Path) -> None:
    checked = run(root, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_check_names_what_is_stale_and_writing_mends_it(root: Path, tmp_path: Path) -> None:
    for folder in ("docs", "schemas"):
        shutil.copytree(root / folder, tmp_path / folder)
    for name in ("tests", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / GENERATED[0]).write_text("old", encoding="utf-8")
    (tmp_path / GENERATED[2]).unlink()
    checked = run(tmp_path, "--check")
    assert checked.returncode == 1
    assert [name for name in GENERATED if name in checked.stderr] == [GENERATED[0], GENERATED[2]]
    assert run(tmp_path).returncode == 0
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (root / name).read_bytes()
