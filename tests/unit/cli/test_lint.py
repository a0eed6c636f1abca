"""craftc lint: what its arguments name, its formats, and the files that editors, hooks and GitHub run it by."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.store.run_folder import create_run

ROOT = Path(__file__).parents[3]
RIGHT = """craftc: 1
name: example
data: {source: digits}
model: mlp
objective: cross_entropy
training: {epochs: 2, batch_size: 8, optimizer: adamw}
"""
WRONG = RIGHT.replace("epochs: 2", "epochs: two")
SPACE = "training.optimizer.lr: {log_uniform: [1e-5, 1e-2]}\n"
runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder that is no checkout of GitHub's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


def lint(*arguments: str, text: str = "") -> Result:
    return runner.invoke(app, ["lint", *arguments], input=text)


def craftc(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    command = [sys.executable, "-m", "craftc", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False, **options)


def test_standard_input_is_linted(here: Path) -> None:
    result = lint("-", text=WRONG)
    assert result.exit_code == 1
    assert result.stdout.startswith("<stdin>:6:20: error[wrong-type]")
    assert result.stdout.splitlines()[1].endswith("training: {epochs: two, batch_size: 8, optimizer: adamw}")
    assert lint("-", text=RIGHT).exit_code == 0


def test_standard_input_stands_for_the_file_that_is_named(here: Path) -> None:
    Path("project/search_spaces").mkdir(parents=True)
    Path("project/search_spaces/small.yaml").write_text(SPACE)
    searched = RIGHT + "search: {use: small, optimize: {metric: valid/loss}, trials: 2}\n"
    assert "unknown-search-space" in lint("-", text=searched).stdout
    result = lint("-", "--stdin-filename", "project/specs/new.yaml", text=searched)
    assert (result.exit_code, result.stdout) == (0, "")
    result = lint("-", "--stdin-filename", "project/specs/new.yaml", text=searched.replace("trials", "trails"))
    assert result.stdout.startswith('project/specs/new.yaml:7:54: error[unknown-key]: unknown key "trails"')


def test_standard_input_is_read_once_among_other_paths(here: Path) -> None:
    Path("right.yaml").write_text(RIGHT)
    result = lint("-", "right.yaml", "-", text=WRONG)
    assert result.stderr == "2 specs: 1 error, 0 warnings\n"


def test_a_name_for_standard_input_that_nobody_reads_is_wrong_use(here: Path) -> None:
    Path("right.yaml").write_text(RIGHT)
    result = lint("right.yaml", "--stdin-filename", "x.yaml")
    assert (result.exit_code, result.stdout) == (2, "")


def test_closed_standard_input_is_a_diagnostic(here: Path) -> None:
    result = subprocess.run(
        ["bash", "-c", '"$0" -m craftc lint - <&-', sys.executable],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stdout == "<stdin>:1:1: error[unreadable-file]: cannot be read: standard input is closed\n"


def test_a_file_is_linted_once_however_often_it_is_named(here: Path) -> None:
    Path("specs").mkdir()
    Path("specs/wrong.yaml").write_text(WRONG)
    Path("link.yaml").symlink_to("specs/wrong.yaml")
    result = lint("specs/wrong.yaml", "./specs/../specs/wrong.yaml", "link.yaml", "specs", str(here / "specs"))
    assert result.stderr == "1 spec: 1 error, 0 warnings\n"
    assert result.stdout.startswith("specs/wrong.yaml:6:20:")


def test_what_in_a_folder_cannot_be_read_is_told_and_the_rest_is_linted(here: Path) -> None:
    Path("specs/deep").mkdir(parents=True)
    Path("specs/loop.yaml").symlink_to("loop.yaml")
    Path("specs/gone.yaml").symlink_to("nowhere.yaml")
    Path("specs/deep/up").symlink_to("..")
    Path("specs/deep/wrong.yaml").write_text(WRONG)
    os.mkfifo("specs/pipe.yaml")
    result = lint("specs")
    assert result.exit_code == 1
    assert [line.partition(":1:1: ")[0] for line in result.stdout.splitlines() if "[unreadable-file]" in line] == [
        "specs/gone.yaml",
        "specs/loop.yaml",
    ]
    assert "specs/deep/wrong.yaml:6:20: error[wrong-type]" in result.stdout
    assert result.stderr.endswith("3 errors, 0 warnings\n")


def test_a_folder_is_linted_with_what_its_specs_are_made_of(here: Path) -> None:
    for folder in ("specs", "bases", "search_spaces"):
        Path(folder).mkdir()
    Path("specs/one.yaml").write_text(RIGHT + "search: {use: small, optimize: {metric: valid/loss}, trials: 2}\n")
    Path("specs/two.yaml").write_text("craftc: 1\nname: two\nextends: ../bases/digits.yaml\n")
    Path("bases/digits.yaml").write_text(RIGHT.replace("craftc: 1\nname: example\n", ""))
    Path("search_spaces/small.yaml").write_text(SPACE)
    Path("values.yaml").write_text("replicas: 2\n")
    Path("template.yaml").write_text("{{ not: yaml }\n")
    result = lint(".")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "no spec, base or search space: template.yaml, values.yaml\n"
        "2 specs, 1 base, 1 search space: 0 errors, 0 warnings\n"
    )


def test_copies_of_specs_that_runs_wrote_are_passed_over_unless_they_are_named(here: Path) -> None:
    for folder in ("specs", "bases", "runs/mine"):
        Path(folder).mkdir(parents=True)
    text = "craftc: 1\nname: one\nextends: ../bases/digits.yaml\n"
    Path("specs/spec.yaml").write_text(text)
    Path("runs/mine/spec.yaml").write_text(text.replace("..", "../.."))
    Path("bases/digits.yaml").write_text(RIGHT.replace("craftc: 1\nname: example\n", ""))
    plan = compile_spec(text, "specs/spec.yaml", built_in_catalogue()).plan
    assert plan is not None
    run = create_run(Path("runs"), plan, text).path
    assert lint(".").stderr == "2 specs, 1 base: 0 errors, 0 warnings\n"
    for named in (run, run / "spec.yaml"):
        assert "error[unknown-base]" in lint(str(named)).stdout


def test_a_mistake_in_what_specs_share_is_told_once(here: Path) -> None:
    for name in ("one", "two"):
        Path(f"{name}.yaml").write_text(f"craftc: 1\nname: {name}\nextends: base.yaml\n")
    Path("base.yaml").write_text(WRONG.replace("craftc: 1\nname: example\n", ""))
    for paths in (["."], ["two.yaml", "one.yaml"], ["base.yaml", "one.yaml"]):
        result = lint(*paths)
        assert result.exit_code == 1
        assert [line for line in result.stdout.splitlines() if "error[" in line] == [
            'base.yaml:4:20: error[wrong-type]: "training.epochs" is "two"; expected a whole number >= 1, or none'
        ]


def test_what_is_named_is_meant_to_be_a_spec(here: Path) -> None:
    Path("values.yaml").write_text("replicas: 2\n")
    result = lint("values.yaml")
    assert result.exit_code == 1
    assert "error[missing-version]" in result.stdout
    result = lint(".")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_spec_that_forgot_its_version_is_no_base(here: Path) -> None:
    Path("specs").mkdir()
    Path("specs/new.yaml").write_text(RIGHT.replace("craftc: 1\n", ""))
    for arguments, text in ((["specs/new.yaml"], ""), (["specs"], ""), (["-"], Path("specs/new.yaml").read_text())):
        result = lint(*arguments, text=text)
        assert result.exit_code == 1
        assert "error[missing-version]" in result.stdout
        assert result.stderr == "1 spec: 1 error, 0 warnings\n"


def test_a_spec_that_is_no_yaml_is_told_in_a_folder(here: Path) -> None:
    Path("broken.yaml").write_text("craftc: 1\nmodel: {kind: mlp\n")
    result = lint(".")
    assert result.exit_code == 1
    assert "error[yaml-syntax]" in result.stdout


def test_a_pipe_that_is_named_is_read(here: Path) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text(WRONG))
    writer.start()
    result = lint("pipe")
    writer.join()
    assert result.stdout.startswith("pipe:6:20: error[wrong-type]")


def test_github_annotates_files_by_their_names_in_the_repository(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("project/specs").mkdir(parents=True)
    Path("project/specs/wrong, 1.yaml").write_text(WRONG)
    monkeypatch.chdir("project")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(here))
    result = lint("./specs", "--format", "github")
    assert result.exit_code == 1
    assert result.stdout == (
        "::error file=project/specs/wrong%2C 1.yaml,line=6,endLine=6,col=20,endColumn=22,title=wrong-type::"
        '"training.epochs" is "two"; expected a whole number >= 1, or none\n'
    )
    assert result.stderr == "1 spec: 1 error, 0 warnings\n"


def test_nothing_is_annotated_where_nothing_is_wrong(here: Path) -> None:
    Path("right.yaml").write_text(RIGHT)
    result = lint("right.yaml", "--format", "github")
    assert (result.exit_code, result.stdout) == (0, "")


def test_sarif_names_files_as_uris_from_the_working_folder(here: Path) -> None:
    Path("ä %.yaml").write_text(WRONG)
    result = lint(str(here / "ä %.yaml"), "--format", "sarif")
    assert (result.exit_code, result.stderr) == (1, "")
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "%C3%A4%20%25.yaml"


def test_sarif_names_a_file_elsewhere_absolutely(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("wrong.yaml").write_text(WRONG)
    Path("project").mkdir()
    monkeypatch.chdir("project")
    (found,) = json.loads(lint("../wrong.yaml", "--format", "sarif").stdout)["runs"][0]["results"]
    uri = (here.resolve() / "wrong.yaml").as_uri()
    assert found["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


def test_a_terminal_of_few_characters_is_no_reason_to_fail(here: Path) -> None:
    Path("wrong.yaml").write_text(WRONG.replace("name: example", "name: 漢字"))
    result = craftc("lint", "wrong.yaml", cwd=here, env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 1
    assert r"\u6f22\u5b57" in result.stdout


def test_only_the_command_that_is_called_is_imported(here: Path) -> None:
    Path("right.yaml").write_text(RIGHT)
    code = """
import sys
from craftc.cli.main import app
app(["lint", "right.yaml"], standalone_mode=False)
print(sorted(name for name in sys.modules if name.startswith(("craftc.runtime", "craftc.report"))))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def read_yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def installed(here: Path) -> Path:
    """A folder of programs with `craftc` in it."""
    programs = here / "craftc" / "bin"
    programs.mkdir(parents=True)
    script = programs / "craftc"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m craftc "$@"\n')
    script.chmod(0o755)
    return programs


def test_the_action_annotates_mistakes_and_fails(here: Path, installed: Path) -> None:
    *_, step = read_yaml("action.yml")["runs"]["steps"]
    for folder, text in (("specs", RIGHT), ("more specs", WRONG)):
        Path(folder).mkdir()
        Path(folder, "one.yaml").write_text(text)

    def action(paths: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "RUNNER_TEMP": str(here), "LINT_PATHS": paths}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)

    assert action("specs").returncode == 0
    failed = action("specs\n\n  \nmore specs\n")
    assert failed.returncode == 1
    assert failed.stdout.startswith("::error file=more specs/one.yaml,line=6,")
    assert action("\n").returncode == 2


def hooks() -> dict[str, Any]:
    return {hook["id"]: hook for hook in read_yaml(".pre-commit-hooks.yaml")}


def test_the_other_hook_mends_the_folder(here: Path, installed: Path) -> None:
    hook = hooks()["craftc-fix"]
    Path("specs").mkdir()
    Path("specs/one.yaml").write_text(RIGHT.replace("mlp", "mpl"))
    environment = {**os.environ, "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"}
    command = [*hook["entry"].split(), *hook["args"]]
    assert subprocess.run(command, env=environment, capture_output=True, timeout=600, check=False).returncode == 0
    assert Path("specs/one.yaml").read_text() == RIGHT
    assert set(hooks()) == {"craftc-lint", "craftc-fix"}
    assert {**hook, **hooks()["craftc-lint"]}.keys() == hook.keys()


def test_the_hook_lints_the_folder_and_runs_for_what_may_change_it(here: Path, installed: Path) -> None:
    hook = hooks()["craftc-lint"]
    Path("specs").mkdir()
    command = [*hook["entry"].split(), *hook["args"]]
    environment = {**os.environ, "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"}
    assert shutil.which(command[0], path=environment["PATH"]) == str(installed / "craftc")
    for text, code in ((RIGHT, 0), (WRONG, 1)):
        Path("specs/one.yaml").write_text(text)
        assert (
            subprocess.run(command, env=environment, capture_output=True, timeout=600, check=False).returncode == code
        )
    assert hook["pass_filenames"] is False


def test_a_process_writes_all_of_a_long_answer_before_it_ends(here: Path) -> None:
    for number in range(200):
        Path(f"{number}.yaml").write_text(WRONG)
    result = craftc("lint", ".", "--format", "json", cwd=here)
    assert result.returncode == 1
    assert json.loads(result.stdout)["error_count"] == 200
    assert len(result.stdout) > 1 << 16, "no more than a pipe holds"


def test_closed_output_is_no_crash(here: Path) -> None:
    Path("wrong.yaml").write_text(WRONG)
    result = subprocess.run(
        ["bash", "-c", '"$0" -m craftc lint wrong.yaml >&-', sys.executable],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (1, "1 spec: 1 error, 0 warnings\n")


def test_bytes_that_are_no_text_are_told_at_their_place(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("craftc: 1\r\nname: é".encode() + b"\xe9\n")
    result = CliRunner().invoke(app, ["lint", str(tmp_path / "x.yaml")])
    assert "x.yaml:2:8: error[unreadable-file]" in result.output


def test_a_file_whose_name_ends_in_capitals_is_linted_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.YAML").write_text("craftc: 1\nname: a\n", encoding="utf-8")
    (tmp_path / "b.Yml").write_text("craftc: 1\nname: b\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text("craftc: 1\nname: c\n", encoding="utf-8")
    output = CliRunner().invoke(app, ["lint", str(tmp_path)]).output
    assert "a.YAML:1:1: error[missing-key]" in output
    assert "b.Yml:1:1: error[missing-key]" in output
    assert "c.txt" not in output


@pytest.mark.parametrize("by_name", [True, False])
def test_a_file_of_another_tool_is_told_where_it_is_named(tmp_path: Path, by_name: bool) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("method: grid\nparameters: {lr: {values: [1, 2]}}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["lint", str(sweep if by_name else tmp_path)])
    assert result.output.count("error[") == int(by_name)
    assert ("docs/from/wandb_sweeps.md" in result.output) == by_name
