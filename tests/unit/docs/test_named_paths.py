"""The files and folders that the pages for developers name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
PAGES = (ARCHITECTURE, ROOT / "CONTRIBUTING.md")
NOT_IN_THE_REPOSITORY = re.compile(
    r"\.venv/|runs/|prepared/|compiled/|batching/|kernels/|checkpoints/|files/|after/|artefacts/|by_weights/|wandb/|tensorboard/|mlflow/|\.locks/|\.<"
)


def named_paths(text: str) -> list[str]:
    """What stands in backticks, or in a flow diagram, and has the form of a path."""
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    drawn = re.findall(r"^ +│  (\S+)", text, re.MULTILINE)
    shaped = [name for name in quoted if re.fullmatch(r"[\w./*<>{}-]+", name) and ("/" in name or name.endswith(".py"))]
    return [name for name in dict.fromkeys([*shaped, *drawn]) if not NOT_IN_THE_REPOSITORY.match(name)]


@pytest.mark.parametrize(
    ("page", "name"), [(page, name) for page in PAGES for name in named_paths(page.read_text(encoding="utf-8"))]
)
def test_the_path_exists(page: Path, name: str) -> None:
    pattern = name.replace("CODE", "*").rstrip("/")
    # A name without a folder stands in a list that names the folder.
    patterns = (pattern, f"craftc/{pattern}") if "/" in name else (f"craftc/**/{pattern}",)
    assert any(any(ROOT.glob(each)) for each in patterns), f"{page.name} names {name}, which is not there"


def test_paths_are_found() -> None:
    assert named_paths("`a/b.py`, `c.py`, `word`, `runs/x`, `a b/c`\n```\n   │  d/e.py  what\n   ▼\n```\n") == [
        "a/b.py",
        "c.py",
        "d/e.py",
    ]


@pytest.mark.parametrize("package", ["compiler", "training", "runtime"])
def test_every_room_is_listed(package: str) -> None:
    rooms = {file.parent.name for file in (ROOT / "craftc" / package).glob("*/__init__.py")}
    listed = re.findall(rf"^\| `{package}/(\w+)/` \|", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(rooms)
