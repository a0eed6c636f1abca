"""Whether and from where a user's own code is imported."""

import os
import sys
from pathlib import Path

import pytest

from craftc.components.own_line import own_line, told
from craftc.runtime.on_ray.project_files import pack_folder, stage
from craftc.runtime.worker.own_code import cannot_import, make_importable, own_kinds


@pytest.fixture(autouse=True)
def _import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_the_projects_folders_come_after_pythons_own_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [str(tmp_path / "a"), str(tmp_path / "a" / "src")]
    library = os.path.dirname(os.__file__)
    monkeypatch.setattr(sys, "path", ["/elsewhere", library, "/installed"])
    for _ in range(2):
        make_importable(folders)
    assert sys.path == [library, *folders, "/elsewhere", "/installed"]
    monkeypatch.chdir(tmp_path)
    make_importable([".", "src"])
    assert sys.path[1:3] == [str(tmp_path), str(tmp_path / "src")]


def test_what_can_be_imported_is_no_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"kind_of_mine/nets.py": "print('hello')\nclass Net:\n    class Inner: pass\n"})
    make_importable([str(tmp_path)])
    for kind in ("kind_of_mine.nets:Net", "kind_of_mine.nets:Net.Inner", "json:JSONDecoder"):
        assert cannot_import(kind, [str(tmp_path)]) is None
    assert capsys.readouterr().out == "", "what a module prints is no result"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing' (broken_{}.py:1)"),
        ("x = 1\n", "AttributeError: module 'broken_{}' has no attribute 'Net'"),
        ("x = (\n", "SyntaxError: '(' was never closed (broken_{}.py, line 1) (broken_{}.py:1)"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3 (broken_{}.py:2)"),
        ("\nraise ValueError\n", "ValueError (broken_{}.py:2)"),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    number = abs(hash(text))
    write(tmp_path, {f"broken_{number}.py": text})
    make_importable([str(tmp_path)])
    expected = message.replace("{}", str(number))
    assert (
        cannot_import(f"broken_{number}:Net", [str(tmp_path)]) == f"broken_{number}:Net cannot be imported: {expected}"
    )


def test_a_file_with_the_name_of_another_module_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"json.py": "class JSONDecoder: pass\n"})
    make_importable([str(tmp_path)])
    found = cannot_import("json:JSONDecoder", [str(tmp_path)])
    assert found is not None
    assert found.startswith(f'"json" is {tmp_path / "json.py"} in the project, but was imported from ')


def test_every_own_kind_of_a_trial_is_found() -> None:
    config = {
        "model": {"kind": "a:B", "layers": [{"kind": "c:D"}, {"kind": "plain"}]},
        "objective": {"kind": "cross_entropy", "metrics": [{"kind": "e:F"}]},
    }
    assert dict(own_kinds(config)) == {
        ("model", "kind"): "a:B",
        ("model", "layers", 0, "kind"): "c:D",
        ("objective", "metrics", 0, "kind"): "e:F",
    }


def test_the_line_is_that_of_the_users_code_and_not_of_a_package() -> None:
    def mine() -> None:
        import json

        json.loads("{")

    with pytest.raises(ValueError, match="Expecting") as caught:
        mine()
    assert own_line(caught.value).endswith(f"test_own_code.py:{mine.__code__.co_firstlineno + 3}")
    assert told(caught.value).startswith("JSONDecodeError: Expecting property name")
    assert own_line(ValueError("never raised")) == ""


def test_what_is_sent_is_a_project_of_its_own(tmp_path: Path) -> None:
    """A copy begins at its root, whatever marked the original."""
    from craftc.compiler.own_code.import_path import import_folders

    write(tmp_path / "mine", {".git/config": "", "src/pkg/nets.py": "", "specs/a.yaml": ""})
    packed = pack_folder(tmp_path / "mine", tmp_path / "runs")
    assert packed.files == ("specs/a.yaml", "src/pkg/nets.py")
    stage(packed, tmp_path / "copy")
    copied = import_folders(tmp_path / "copy" / "specs" / "a.yaml")
    assert [str(folder.relative_to(tmp_path / "copy")) for folder in copied] == [".", "src", "specs"]
