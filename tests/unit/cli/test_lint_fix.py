"""craftc lint --fix and --diff: what is written, what is shown, what is left, and the exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from craftc.cli.main import app

ROOT = Path(__file__).parents[3]
RIGHT = """craftc: 1
name: example
data: {source: digits}
model: mlp
objective: cross_entropy
training: {epochs: 2, batch_size: 8, optimizer: adamw}
"""
SLIP = RIGHT.replace("epochs: 2", "epoch: '2'").replace("model: mlp", "model: mpl  # small")
MENDED = RIGHT.replace("model: mlp", "model: mlp  # small")
runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


def lint(*arguments: str, text: str | bytes = "") -> Result:
    return runner.invoke(app, ["lint", *arguments], input=text)


def test_a_file_is_mended_until_nothing_is_left(here: Path) -> None:
    Path("x.yaml").write_text(SLIP)
    result = lint("--fix", "x.yaml")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "x.yaml: 3 mistakes fixed\n1 spec: 0 errors, 0 warnings\n"
    assert Path("x.yaml").read_text() == MENDED
    again = lint("--fix", "x.yaml")
    assert (again.exit_code, again.stderr) == (0, "1 spec: 0 errors, 0 warnings\n")


def test_what_is_left_is_told_and_fails(here: Path) -> None:
    Path("x.yaml").write_text(SLIP.replace("batch_size: 8", "batch_size: 0"))
    result = lint("--fix", "x.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("x.yaml:6:35: error[out-of-bounds]")
    assert "--fix" not in result.stdout
    assert result.stderr.endswith("1 spec: 1 error, 0 warnings\n")
    assert "epochs: 2" in Path("x.yaml").read_text()


def test_without_fix_mistakes_are_marked_and_counted(here: Path) -> None:
    Path("x.yaml").write_text(SLIP.replace("batch_size: 8", "batch_size: 0"))
    result = lint("x.yaml")
    assert result.exit_code == 1
    marked = {
        line.split("[")[1].split("]")[0]: line.endswith(" [--fix]")
        for line in result.stdout.splitlines()
        if "error[" in line
    }
    assert marked == {"unknown-kind": True, "unknown-key": True, "out-of-bounds": False}
    assert result.stderr == "1 spec: 3 errors, 0 warnings; 2 of 3 can be fixed with --fix\n"
    assert Path("x.yaml").read_text() == SLIP.replace("batch_size: 8", "batch_size: 0")


def test_a_diff_is_shown_and_can_be_applied(here: Path) -> None:
    Path("x.yaml").write_text(SLIP)
    result = lint("--diff", "x.yaml")
    assert result.exit_code == 1
    assert result.stderr == "x.yaml: 3 mistakes would be fixed\n1 spec: 0 errors, 0 warnings would be left\n"
    assert Path("x.yaml").read_text() == SLIP
    subprocess.run(["patch", "-p0"], input=result.stdout, text=True, check=True, capture_output=True)
    assert Path("x.yaml").read_text() == MENDED
    result = lint("--diff", "x.yaml")
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_diff_fails_where_errors_would_be_left(here: Path) -> None:
    Path("x.yaml").write_text(RIGHT.replace("8", "0"))
    result = lint("--diff", "x.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "1 spec: 1 error, 0 warnings would be left\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_bytes_that_are_not_mended_stay(here: Path, mark: str, newline: str, end: str) -> None:
    def written(text: str) -> bytes:
        return (mark + f"# 漢字\t\n{text}\n#\x85 \u2028 x".replace("\n", newline) + end.replace("\n", newline)).encode()

    Path("x.yaml").write_bytes(written(SLIP))
    assert lint("--fix", "x.yaml").exit_code == 0
    assert Path("x.yaml").read_bytes() == written(MENDED)


def test_mode_and_links_stay(here: Path) -> None:
    Path("specs").mkdir()
    Path("specs/x.yaml").write_text(SLIP)
    Path("specs/x.yaml").chmod(0o640)
    Path("link.yaml").symlink_to("specs/x.yaml")
    assert lint("--fix", "link.yaml", "specs").exit_code == 0
    assert Path("specs/x.yaml").read_text() == MENDED
    assert Path("link.yaml").is_symlink()
    assert Path("specs/x.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir("specs")) == ["x.yaml"]


def test_what_cannot_be_written_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.yaml").write_text(SLIP)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write everything
    result = lint("--fix", "x.yaml")
    assert result.exit_code == 1
    assert "x.yaml is not written: it is write-protected\n" in result.stderr
    assert Path("x.yaml").read_text() == SLIP


def test_a_file_that_changes_meanwhile_is_left(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from craftc.cli import lint_fix

    Path("x.yaml").write_text(SLIP)
    write = lint_fix._write

    def late(path: Path, before: str, after: str) -> str | None:
        path.write_text("# new\n" + SLIP)
        return write(path, before, after)

    monkeypatch.setattr(lint_fix, "_write", late)
    result = lint("--fix", "x.yaml")
    assert result.exit_code == 1
    assert "x.yaml is not written: it has changed since it was read\n" in result.stderr
    assert Path("x.yaml").read_text() == "# new\n" + SLIP


BASE = "data: {source: digits}\nmodel: mpl\nobjective: cross_entropy\n"
ON_BASE = "craftc: 1\nname: x\nextends: base.yaml\ntraining: {epochs: '2', batch_size: 8, optimizer: adamw}\n"


def test_only_files_that_are_given_are_written(here: Path) -> None:
    Path("base.yaml").write_text(BASE)
    Path("x.yaml").write_text(ON_BASE)
    result = lint("--fix", "x.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "x.yaml: 1 mistake fixed\nbase.yaml is not among the paths given: 1 mistake in it can be fixed too\n"
    )
    assert "base.yaml:2:8: error[unknown-kind]" in result.stdout
    assert Path("base.yaml").read_text() == BASE
    assert "epochs: 2," in Path("x.yaml").read_text()


def test_a_mend_of_a_base_is_seen_by_what_extends_it_before_it_is_written(here: Path) -> None:
    Path("specs").mkdir()
    Path("specs/base.yaml").write_bytes(BASE.replace("\n", "\r\n").encode())
    for name in ("a", "z"):
        Path(f"specs/{name}.yaml").write_text(ON_BASE)
    shown = lint("--diff", "specs")
    assert shown.stderr.endswith("2 specs, 1 base: 0 errors, 0 warnings would be left\n")
    assert Path("specs/base.yaml").read_bytes() == BASE.replace("\n", "\r\n").encode()
    result = lint("--fix", "specs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "specs/a.yaml: 1 mistake fixed\nspecs/base.yaml: 1 mistake fixed\nspecs/z.yaml: 1 mistake fixed\n"
        "2 specs, 1 base: 0 errors, 0 warnings\n"
    )
    assert Path("specs/base.yaml").read_bytes() == BASE.replace("mpl", "mlp").replace("\n", "\r\n").encode()


def test_standard_input_is_written_to_standard_output(here: Path) -> None:
    result = lint("--fix", "-", text=SLIP.replace("\n", "\r\n").encode())
    assert (result.exit_code, result.stdout_bytes) == (0, MENDED.replace("\n", "\r\n").encode())
    wrong = RIGHT.replace("8", "0")
    result = lint("--fix", "-", "--stdin-filename", "new.yaml", text=wrong)
    assert (result.exit_code, result.stdout) == (1, wrong)
    assert result.stderr.startswith("new.yaml:6:35: error[out-of-bounds]")
    result = lint("--diff", "-", text=SLIP)
    assert result.exit_code == 1
    assert result.stdout.startswith("--- <stdin>\n+++ <stdin>\n")


def test_standard_input_that_cannot_be_read_writes_nothing(here: Path) -> None:
    result = lint("--fix", "-", text=b"craftc: \xff\n")
    assert (result.exit_code, result.stdout_bytes) == (1, b"")


@pytest.mark.parametrize("text", ["craftc: 1\nname: [\n", "", "craftc: 1\nname: x\nname: y\n", "- a\n"])
def test_what_is_no_spec_is_left(here: Path, text: str) -> None:
    Path("x.yaml").write_text(text)
    assert lint("--fix", "x.yaml").exit_code == 1
    assert Path("x.yaml").read_text() == text


@pytest.mark.parametrize("arguments", [["--fix", "--diff"], ["--diff", "--format", "json"]])
def test_options_that_exclude_each_other(here: Path, arguments: list[str]) -> None:
    Path("x.yaml").write_text(RIGHT)
    result = lint("x.yaml", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "exclude each other" in result.stderr


def test_json_holds_the_edits_that_make_the_mend(here: Path) -> None:
    Path("x.yaml").write_text(SLIP)
    found = json.loads(lint("x.yaml", "--format", "json").stdout)["diagnostics"]
    assert [d["code"] for d in found if "fix" in d] == ["unknown-kind", "unknown-key"]
    assert found[0]["fix"] == {
        "message": 'write "mlp"',
        "edits": [
            {
                "filename": "x.yaml",
                "range": {"start": {"line": 4, "column": 8}, "end": {"line": 4, "column": 11}},
                "text": "mlp",
            }
        ],
    }
    assert lint("x.yaml", "--fix", "--format", "json").exit_code == 0
    assert "fix" not in json.loads(lint("x.yaml", "--format", "json").stdout)


def test_sarif_and_github_of_what_can_be_mended(here: Path) -> None:
    Path("x.yaml").write_text(SLIP)
    (first, *_) = json.loads(lint("x.yaml", "--format", "sarif").stdout)["runs"][0]["results"]
    assert first["fixes"] == [
        {
            "description": {"text": 'write "mlp"'},
            "artifactChanges": [
                {
                    "artifactLocation": first["locations"][0]["physicalLocation"]["artifactLocation"],
                    "replacements": [
                        {
                            "deletedRegion": {"startLine": 4, "startColumn": 8, "endLine": 4, "endColumn": 11},
                            "insertedContent": {"text": "mlp"},
                        }
                    ],
                }
            ],
        }
    ]
    github = lint("x.yaml", "--format", "github")
    assert "--fix" not in github.stdout + github.stderr


def test_fixing_imports_nothing_heavy(here: Path) -> None:
    Path("x.yaml").write_text(SLIP)
    program = """
import sys
from craftc.cli.main import app
try:
    app(["lint", "x.yaml", "--fix"])
except SystemExit as ended:
    assert ended.code == 0, ended.code
heavy = {"torch", "ray", "optuna", "wandb", "numpy", "pydantic", "ruamel"} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=600, capture_output=True)
    assert Path("x.yaml").read_text() == MENDED
