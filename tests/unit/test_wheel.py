"""What the wheel holds, and what an installed craftc finds of it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SPEC = """craftc: 1
name: searched
data: {source: digits}
model: {kind: scanline_vit}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 2, batch_size: 32, optimizer: adamw}
search: {use: [vit_small, optimizer], optimize: {metric: valid/accuracy}, trials: 3}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel unpacks to."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = folder.glob("craftc-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_search_spaces_and_schemas_are_in_it(installed: Path) -> None:
    for here, there in (("search_spaces", "search_spaces"), ("schemas", "published_schemas")):
        names = {path.name for path in (PROJECT / here).iterdir() if path.suffix in (".yaml", ".json")}
        assert len(names) >= 2
        assert {path.name for path in (installed / "craftc" / there).iterdir()} == names
        for name in names:
            assert (installed / "craftc" / there / name).read_bytes() == (PROJECT / here / name).read_bytes()
    tops = {path.name for path in installed.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"craftc"}
    code = [path for path in (PROJECT / "craftc").rglob("*") if path.suffix in (".py", ".md", ".json", ".sh")]
    assert [path for path in code if not (installed / path.relative_to(PROJECT)).is_file()] == []


def test_a_spec_elsewhere_uses_them_by_name(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    command = [sys.executable, "-P", "-m", "craftc", "plan", "spec.yaml", "--format", "json"]
    found = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    space = json.loads(found.stdout)["search"]["space"]
    assert {"training.optimizer.lr", "model.num_layers"} <= set(space)


def test_a_name_that_is_nowhere_is_told_with_those_that_come_along(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC.replace("vit_small", "vit_smal"))
    command = [sys.executable, "-P", "-m", "craftc", "lint", "spec.yaml"]
    found = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert 'did you mean "vit_small"?' in found.stdout
