"""docs/explanation/performance.md is what docs/performance.py makes of the measurements."""

import shutil
import subprocess
import sys
from pathlib import Path


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "docs" / "performance.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_page_is_up_to_date(root: Path) -> None:
    checked = run(root, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_new_measurement_makes_it_stale_and_writing_shows_it(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "docs", tmp_path / "docs")
    page, measured = tmp_path / "docs" / "explanation" / "performance.md", tmp_path / "docs" / "measured" / "step.json"
    text = measured.read_text(encoding="utf-8")
    measured.write_text(text.replace('"cores": ', '"cores": 4'), encoding="utf-8")
    assert run(tmp_path, "--check").returncode == 1
    assert run(tmp_path).returncode == 0
    assert page.read_text(encoding="utf-8") != (root / "docs" / "explanation" / "performance.md").read_text(
        encoding="utf-8"
    )
    assert run(tmp_path, "--check").returncode == 0


def test_every_benchmark_has_its_place(root: Path) -> None:
    template = (root / "docs" / "explanation" / "performance.in.md").read_text(encoding="utf-8")
    names = {path.stem for path in (root / "benchmarks").glob("*.py") if "side_by_side import" in path.read_text()}
    scripts = {name for name in names if "def main()" in (root / "benchmarks" / f"{name}.py").read_text()}
    assert scripts
    assert {name for name in scripts if f"{{{{{name}}}}}" not in template} == set()
