"""What a user meets who installed craftc without its `run` extra."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from craftc.cli.main import BASE_MODULES, COMMANDS, LIGHT
from craftc.schemas.plan import Headline, Plan, Trial

RUN_MODULES = (
    "PIL", "detect_secrets", "filelock", "mlflow", "mlxtend", "numpy", "optuna", "pandas", "pathspec", "psutil", "ray",
    "requests", "scipy", "sklearn", "tensorboardX", "torch", "torchmetrics", "wandb",
)  # fmt: skip
WITHOUT = "import sys; sys.modules.update(dict.fromkeys({names!r})); from craftc.cli.main import main; main()"
NEEDS_NOTHING = {
    "lint": ["SPEC"],
    "plan": ["SPEC"],
    "schema": ["model", "--kind", "mlp"],
    "explain": ["unknown-key"],
    "verify": [],
    "submit": ["SPEC", "--slurm", "--dry-run"],
}
NEEDS_MORE = {
    "run": ["SPEC"],
    "report": ["name"],
    "log": ["name"],
    "compare": ["name", "name"],
    "sync": ["name"],
    "status": [],
    "stop": ["name"],
    "clean": [],
    "check": ["SPEC"],
    "resume": ["name"],
}


def craftc(*arguments: str, without: tuple[str, ...] = RUN_MODULES) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(names=without)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def given(root: Path, tmp_path: Path, arguments: list[str], command: str) -> list[str]:
    runs_dir = [] if command in ("lint", "schema", "explain", "check") else ["--runs-dir", str(tmp_path / "runs")]
    spec = str(root / "specs/vit_ablation.yaml")
    return [command, *(spec if word == "SPEC" else word for word in arguments), *runs_dir]


@pytest.fixture
def a_run(tmp_path: Path) -> Path:
    """Enough of a run to be found."""
    run = tmp_path / "runs" / "name" / "20260101_000000"
    run.mkdir(parents=True)
    headline = Headline(split="test", metric="accuracy", mode="max")
    trial = Trial(id="0" * 64, variant="v", seed=0, config={"training": {"epochs": 1}})
    plan = Plan(name="name", baseline="v", headline=headline, trials=(trial,))
    (run / "plan.json").write_text(plan.model_dump_json())
    driver = {"host": socket.gethostname(), "pid": 1, "started_at": 0.0}
    (run / "driver.json").write_text(json.dumps(driver))
    return run


@pytest.mark.parametrize("command", NEEDS_NOTHING)
def test_what_needs_nothing_works(root: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "runs").mkdir()
    result = craftc(*given(root, tmp_path, NEEDS_NOTHING[command], command))
    assert (result.returncode, "Traceback" in result.stderr) == (0, False), result.stderr


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in NEEDS_NOTHING])
def test_any_other_ends_in_a_sentence(root: Path, tmp_path: Path, a_run: Path, command: str) -> None:
    """Of a command that is new: a line in NEEDS_MORE or NEEDS_NOTHING."""
    result = craftc(*given(root, tmp_path, NEEDS_MORE[command], command))
    assert "Traceback" not in result.stderr
    assert result.returncode in (1, 2)
    if command != "sync":  # it tells first that there is nothing for W&B
        assert result.returncode == 1
        assert "pip install 'craftc[run]'" in result.stderr
    if command in LIGHT:
        assert "pip install 'craftc[report]'" in result.stderr


@pytest.mark.parametrize(
    "name", ["filelock", "numpy", "optuna", "psutil", "ray", "scipy", "sklearn", "torch", "torchmetrics"]
)
def test_a_run_that_cannot_be_has_no_folder(root: Path, tmp_path: Path, name: str) -> None:
    runs_dir = tmp_path / "runs"
    result = craftc("run", str(root / "specs/vit_ablation.yaml"), "--runs-dir", str(runs_dir), without=(name,))
    assert f"this command needs {name}, which comes with: pip install 'craftc[run]'" in result.stderr
    assert result.returncode == 1
    assert not runs_dir.exists()


def test_sending_needs_what_reads_ignore_files(root: Path, tmp_path: Path) -> None:
    spec = str(root / "specs/vit_ablation.yaml")
    result = craftc("submit", spec, "--address", "http://127.0.0.1:1", "--dry-run", without=("pathspec",))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("this command needs pathspec, which comes with: pip install 'craftc[run]'\n")


def test_a_broken_installation_is_told_as_one(root: Path) -> None:
    result = craftc("plan", str(root / "specs/vit_ablation.yaml"), without=("rich",))
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert result.stderr.endswith("craftc needs rich, which comes with: pip install craftc\n")
    assert "rich" in BASE_MODULES


def test_so_does_comparing_specs(root: Path) -> None:
    result = craftc("compare", str(root / "specs/vit_ablation.yaml"), str(root / "specs/vit_search.yaml"))
    assert result.returncode == 0
    assert "Fields: " in result.stdout
