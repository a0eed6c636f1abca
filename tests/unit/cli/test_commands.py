"""The commands as a user meets them: exit codes, streams, the JSON contracts, and files that are none."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from craftc.cli.main import COMMANDS, app

ROOT = Path(__file__).parents[3]
RIGHT = """craftc: 1
name: example
data: {source: digits}
model: mlp
objective: cross_entropy
training: {epochs: 2, batch_size: 8, optimizer: adamw}
"""
WRONG = RIGHT.replace("epochs: 2", "epochs: two")
runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a right spec, a wrong one, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    Path("right.yaml").write_text(RIGHT)
    Path("wrong.yaml").write_text(WRONG)
    Path("fragment.yaml").write_text("learning_rates: [1, 2]\n")
    return tmp_path


def test_lint_of_a_clean_spec(here: Path) -> None:
    result = runner.invoke(app, ["lint", "right.yaml"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 spec: 0 errors, 0 warnings\n")


def test_lint_of_a_wrong_spec(here: Path) -> None:
    result = runner.invoke(app, ["lint", "wrong.yaml", "right.yaml"])
    assert result.exit_code == 1
    assert result.stdout.startswith('wrong.yaml:6:20: error[wrong-type]: "training.epochs" is "two"')
    assert result.stdout.splitlines()[2].index("^") == result.stdout.splitlines()[1].index("two")
    assert result.stderr == "2 specs: 1 error, 0 warnings\n"


def test_a_warning_alone_is_no_failure(here: Path) -> None:
    Path("warned.yaml").write_text(RIGHT + "ablation: {design: [add_one]}\n")
    result = runner.invoke(app, ["lint", "warned.yaml"])
    assert result.exit_code == 0
    assert "warning[no-effect]" in result.stdout


def test_lint_as_json(here: Path) -> None:
    result = runner.invoke(app, ["lint", "wrong.yaml", "--format", "json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["valid"], found["error_count"]) == (False, 1)
    assert found["diagnostics"][0]["range"]["start"] == {"line": 6, "column": 20}


def test_lint_of_a_folder_takes_its_specs_each_once_and_no_hidden_ones(here: Path) -> None:
    for folder in ("deep/er", ".venv/lib"):
        Path(folder).mkdir(parents=True)
        Path(folder, "more.yml").write_text(WRONG)
    result = runner.invoke(app, ["lint", ".", "wrong.yaml"])
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines() if "error[" in line] == [
        "wrong.yaml",
        "deep/er/more.yml",
    ]
    assert "3 specs: 2 errors" in result.stderr
    assert "no spec, base or search space: fragment.yaml" in result.stderr


def test_a_folder_without_a_spec_is_a_usage_error(tmp_path: Path) -> None:
    result = runner.invoke(app, ["lint", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no spec in" in result.stderr


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "unreadable-file"),
        (b"\x89PNG\r\n\x1a\n\xff", "unreadable-file"),
        (b"", "empty-document"),
        (b"a" * (1 << 21), "document-too-large"),
        (b"\x00\x01", "yaml-syntax"),
    ],
)
@pytest.mark.parametrize("command", ["lint", "plan"])
def test_what_is_no_spec_is_a_diagnostic(here: Path, command: str, content: bytes | None, code: str) -> None:
    if content is not None:
        Path("odd").write_bytes(content)
    result = runner.invoke(app, [command, "odd"])
    assert result.exit_code == 1
    assert f"odd:1:1: error[{code}]" in result.output


@pytest.mark.parametrize("name", ["x" * 5000, "no/such/folder/x.yaml"])
def test_a_path_that_cannot_be_is_a_diagnostic(here: Path, name: str) -> None:
    result = runner.invoke(app, ["lint", name])
    assert result.exit_code == 1
    assert "error[unreadable-file]" in result.stdout


def test_plan_of_a_folder_is_a_diagnostic(here: Path) -> None:
    result = runner.invoke(app, ["plan", "."])
    assert result.exit_code == 1
    assert "Is a directory" in result.stderr


def test_windows_line_ends_and_a_byte_order_mark(here: Path) -> None:
    Path("windows.yaml").write_bytes(b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").encode())
    assert "windows.yaml:6:20: error[wrong-type]" in runner.invoke(app, ["lint", "windows.yaml"]).stdout


def test_plan_as_a_table(here: Path) -> None:
    Path("right.yaml").write_text(RIGHT + "ablation: {seeds: 2, grid: {training.epochs: [2, 3]}}\n")
    result = runner.invoke(app, ["plan", "right.yaml"])
    assert result.exit_code == 0
    assert re.search(r"~ +epochs=2 +0, 1 +same as base", result.stdout)
    assert "4 trials: 4 new, 2 of them shared, 0 reused, 2 folded into them; 2 jobs, at most 6 epochs" in result.stdout
    assert "shared with epochs=3" in result.stdout


def test_plan_as_json_keeps_the_contract(here: Path) -> None:
    Path("right.yaml").write_text(RIGHT + "ablation: {grid: {training.epochs: [2, 3]}}\nresources: {cpus: 2}\n")
    found = json.loads(runner.invoke(app, ["plan", "right.yaml", "--format", "json"]).stdout)
    assert set(found) == {
        "format_version",
        "name",
        "trials",
        "folded",
        "read_off",
        "shared",
        "unshared",
        "unfinished",
        "orphaned",
        "replaced",
        "groups",
        "power",
        "jobs",
        "search",
        "estimate",
        "data",
    }
    assert (found["format_version"], found["name"], found["folded"], found["search"]) == ("1.0", "example", 1, None)
    base, other = found["trials"]
    assert set(base["stages"]) == {"prepare", "train", "weights", "features"}
    assert base["stages"] | {"weights": ""} == other["stages"] | {"weights": ""}
    assert base | {"id": "", "stages": {}} == {
        "id": "",
        "stages": {},
        "variant": "base",
        "aliases": ["epochs=2"],
        "seed": 0,
        "overrides": {},
        "status": "new",
        "job": 0,
        "read_off": None,
        "shares": other["id"],
        "group": None,
    }
    assert other["overrides"] == {"training.epochs": 3}
    assert (found["shared"], found["unshared"]) == (1, None)
    assert found["jobs"][0] == {
        "trials": [base["id"], other["id"]],
        "batched": False,
        "resources": {"workers": 1, "cpu": 2, "gpu": 0.0},
    }


def test_plan_of_a_wrong_spec_says_so_on_standard_error(here: Path) -> None:
    result = runner.invoke(app, ["plan", "wrong.yaml"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[wrong-type]" in result.stderr


def test_plan_leaves_nothing_behind(here: Path) -> None:
    before = sorted(os.listdir())
    runner.invoke(app, ["plan", "right.yaml"])
    assert sorted(os.listdir()) == before


def test_explain() -> None:
    result = runner.invoke(app, ["explain", "unknown-key"])
    assert result.exit_code == 0
    assert "Bad:" in result.stdout
    unknown = runner.invoke(app, ["explain", "unknwon-key"])
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert 'did you mean "unknown-key"?' in unknown.stderr


@pytest.mark.parametrize("command", ["lint", "plan", "run", "report", "compare", "schema", "explain", "clean"])
def test_help_has_an_example(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: craftc {command}" in result.stdout.replace("`", "")


@pytest.mark.parametrize("arguments", [[], ["lint"], ["lint", "x", "--format", "xml"], ["nothing"], ["plan", "a", "b"]])
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).stdout.startswith("craftc ")


HEAVY = ("torch", "ray", "optuna", "wandb", "numpy", "scipy", "pandas", "sklearn", "griffe", "jsonschema")


@pytest.mark.parametrize(
    ("command", "heavy"), [("lint", (*HEAVY, "pydantic", "typer", "ruamel")), ("plan", (*HEAVY, "typer", "ruamel"))]
)
def test_nothing_heavy_is_imported(command: str, heavy: tuple[str, ...]) -> None:
    """In a process of its own; what a spec's mistakes need to be described is no heavier."""
    code = f"""
import sys
from craftc.cli.main import app
app([{command!r}, {str(ROOT / "specs" / "vit_ablation.yaml")!r}], standalone_mode=False)
app(["lint", {str(ROOT / "tests" / "golden" / "err" / "many-mistakes.yaml")!r}], standalone_mode=False)
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.splitlines()[-1] == "[]"


def test_help_lists_each_command_by_its_own_help() -> None:
    """In full, so that the table says what the commands do."""
    context = click.Context(app)
    own = {name: app.get_command(context, name).get_short_help_str() for name in COMMANDS}  # type: ignore[union-attr]
    assert own == COMMANDS
    shown = " ".join(runner.invoke(app, ["--help"], terminal_width=80).stdout.split())
    for name, summary in COMMANDS.items():
        assert f" {name} {summary}" in shown


def test_help_imports_no_command() -> None:
    code = """
import sys
from craftc.cli.main import app
app(["--help"], standalone_mode=False)
print([name for name in sys.modules if name.startswith("craftc.") and name not in ("craftc.cli", "craftc.cli.main")])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_lint_imports_no_display() -> None:
    needless = ("rich", "craftc.runtime.store.store", "craftc.compiler.language.json_schema")
    code = f"""
import sys
from craftc.cli.main import app
app(["lint", {str(ROOT / "specs")!r}], standalone_mode=False)
print([name for name in {needless!r} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_wrong_file_name_is_no_escape_to_the_terminal(here: Path) -> None:
    result = runner.invoke(app, ["lint", "a\x1b[31m.yaml"])
    assert "\x1b" not in result.stdout
