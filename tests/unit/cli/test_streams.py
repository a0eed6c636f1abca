"""Streams that are closed, full or no terminal, and what else a shell does to a program."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc import __version__
from craftc.cli.main import COMMANDS, app
from craftc.cli.show_diagnostics import is_coloured

SPEC = """craftc: 1
name: small
data: {source: digits}
model: linear
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 1, batch_size: 256, optimizer: adamw}
"""

FULL = "cannot write to standard output: No space left on device\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "right.yaml").write_text(SPEC)
    (tmp_path / "wrong.yaml").write_text(SPEC.replace("epochs: 1", "epochs: 0"))
    return tmp_path


def shell(folder: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a user types, where `craftc` is this one."""
    text = f'craftc() {{ "{sys.executable}" -m craftc "$@"; }}\n{line}'
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environment}
    return subprocess.run(
        ["bash", "-c", text], cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize(
    ("line", "code", "stderr"),
    [
        ("craftc explain unknown-key > /dev/full", 1, FULL),
        ("craftc lint wrong.yaml > /dev/full", 1, f"1 spec: 1 error, 0 warnings\n{FULL}"),
        ("craftc lint right.yaml > /dev/full", 0, "1 spec: 0 errors, 0 warnings\n"),
        ("craftc plan right.yaml > /dev/full", 1, FULL),
        ("craftc plan right.yaml --format json > /dev/full", 1, FULL),
        ("craftc --help > /dev/full", 1, FULL),
        ("craftc schema > /dev/full", 1, FULL),
        ("craftc lint wrong.yaml > /dev/full 2> /dev/full", 1, ""),
        ("craftc lint right.yaml 2> /dev/full", 0, ""),
        ("craftc nothing 2> /dev/full", 2, ""),
        ("craftc schema | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0, ""),
        ("craftc lint wrong.yaml | true; exit ${PIPESTATUS[0]}", 1, "1 spec: 1 error, 0 warnings\n"),
        ("craftc lint right.yaml 2>&1 > /dev/null | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("craftc explain unknown-key >&-", 0, ""),
        ("craftc lint right.yaml >&- 2>&-", 0, ""),
    ],
)
def test_a_stream_that_takes_nothing(here: Path, line: str, code: int, stderr: str) -> None:
    result = shell(here, line)
    assert (result.returncode, result.stderr) == (code, stderr)


def test_a_run_goes_on_without_its_readers(here: Path) -> None:
    result = shell(here, "craftc run right.yaml --backend inline 2>&1 | head -1; exit ${PIPESTATUS[0]}")
    assert result.returncode == 0, result.stdout
    assert len(list((here / "runs" / "store").glob("*/result.json"))) == 1


def test_a_module_in_the_current_folder_is_not_run(here: Path) -> None:
    for name in ("click", "rich", "yaml", "gc", "typing", "craftc_extra"):
        (here / f"{name}.py").write_text("raise SystemExit('ran what lies here')")
    for line in ("craftc lint right.yaml", "craftc plan right.yaml", "craftc --version"):
        result = shell(here, line)
        assert (result.returncode, "ran what" in result.stderr) == (0, False), result.stderr


def test_short_options() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["-V"]).output == f"craftc {__version__}\n"
    assert runner.invoke(app, ["-h"]).output == runner.invoke(app, ["--help"]).output
    for command in COMMANDS:
        result = runner.invoke(app, [command, "-h"])
        assert (result.exit_code, result.output[:6]) == (0, "Usage:")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "on_screen", "in_file"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_colours(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], on_screen: bool, in_file: bool) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (is_coloured(Screen()), is_coloured(io.StringIO())) == (on_screen, in_file)


def test_colours_reach_a_pipe_that_wants_them(here: Path) -> None:
    assert "\x1b[" in shell(here, "craftc lint wrong.yaml", FORCE_COLOR="1", NO_COLOR="").stdout
    assert "\x1b[" not in shell(here, "craftc lint wrong.yaml", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_the_environment_names_the_runs_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAFTC_RUNS_DIR", str(here / "some where"))
    runner = CliRunner()
    assert f'no runs and no submissions in "{here / "some where"}"' in runner.invoke(app, ["status"]).output
    other = runner.invoke(app, ["status", "--runs-dir", str(here / "other")])
    assert f'in "{here / "other"}"' in other.output


def test_states_as_json(here: Path) -> None:
    runs_dir = here / "runs"
    (runs_dir / "a" / "20260101_000000").mkdir(parents=True)
    (runs_dir / "a" / "20260101_000000" / "plan.json").write_text("{}")
    for arguments in ([], ["a"]):
        result = CliRunner().invoke(app, ["status", *arguments, "--format", "json", "--runs-dir", str(runs_dir)])
        found = json.loads(result.stdout)
        assert (found["format_version"], found["submissions"]) == ("1.0", [])
        (run,) = found["runs"]
        assert run == {
            "name": "a/20260101_000000",
            "folder": str(runs_dir / "a" / "20260101_000000"),
            "state": "unreadable",
            "finished": 0,
            "failed": 0,
            "trials": 0,
            "points": None,
            "silent_s": None,
            "left_out": None,
            "driver": None,
        }
    nothing = CliRunner().invoke(app, ["status", "--format", "json", "--runs-dir", str(here / "none")])
    assert json.loads(nothing.stdout) == {"format_version": "1.0", "runs": [], "submissions": []}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("craftc st", ["status", "stop"]),
        ("craftc report ", ["first", "vit"]),
        ("craftc report v", ["vit"]),
        ("craftc report vit/", ["vit/20260102_000000", "vit/20260101_000000"]),
        ("craftc stop ", ["first", "vit", "vit-0a1b"]),
        ("craftc compare vit fi", ["first"]),
        ("craftc report --runs-dir elsewhere ", ["other"]),
    ],
)
def test_names_complete(here: Path, words: str, offered: list[str]) -> None:
    for run in (
        "runs/vit/20260101_000000",
        "runs/vit/20260102_000000",
        "runs/first/20260101_000000",
        "elsewhere/other/x",
    ):
        (here / run).mkdir(parents=True)
        (here / run / "plan.json").write_text("{}")
    (here / "runs" / "submissions").mkdir()
    (here / "runs" / "submissions" / "vit-0a1b.json").write_text("{}")
    number = len(words.split(" ")) - 1
    code = "import sys; sys.argv[0] = 'craftc'; from craftc.__main__ import start; start()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env={**os.environ, "_CRAFTC_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.removeprefix("plain,") for line in found.stdout.splitlines()] == offered


def test_a_command_that_is_printed_is_complete_and_quoted() -> None:
    from craftc.runtime.store.shown_command import shown_command

    assert shown_command("sync", "a/b", runs_dir=Path("runs")) == "craftc sync a/b"
    assert shown_command("stop", "a b", runs_dir=Path("/my runs")) == "craftc stop 'a b' --runs-dir '/my runs'"
