"""Secrets of sixteen places, each with a canary, appear in no file that is sent or written and in no output."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.runtime.jobs.backend import BackendError
from craftc.runtime.on_ray.describe_packed import notes
from craftc.runtime.on_ray.project_files import pack, stage
from craftc.runtime.submitting.cluster import JobState, RunRequest, Submitted

CANARY = "c4n4ry"
TOKEN = f"ghp_{CANARY}0123456789abcdefghijklmnopqrstuvwx"
ADDRESS = f"http://me:{CANARY}@127.0.0.1:1"
RIGHT = """craftc: 1
name: example
data: {source: digits}
model: {kind: "net:Net"}
objective: cross_entropy
training: {epochs: 1, batch_size: 64, optimizer: adamw}
"""
NET = "import torch\n\n\nclass Net(torch.nn.Module):\n    def forward(self, x): ...\n"
FILES = {
    ".env": f"PASSWORD={CANARY}\n",
    ".netrc": f"machine host login me password {CANARY}\n",
    "id_rsa": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n",
    "credentials": f"{CANARY},other\n1,2\n",
    ".git-credentials": f"https://me:{CANARY}@github.com\n",
    ".aws/credentials": f"[default]\naws_secret_access_key = {CANARY}\n",
    "secrets.yaml": f"password: {CANARY}\n",
}
SPECS = {
    "name": RIGHT.replace("name: example", f"name: {TOKEN}"),
    "description": f"{RIGHT}description: see https://host/x?token={CANARY}\n",
    "comment": f"{RIGHT}# the old key was {TOKEN}\n",
    "tracker": f"{RIGHT}report: {{trackers: [{{kind: mlflow, tracking_uri: '{ADDRESS}'}}]}}\n",
    "env_name": f"{RIGHT}report: {{trackers: [{{kind: wandb, project: '${{env:WANDB_API_KEY}}', mode: offline}}]}}\n",
    "env_value": f"{RIGHT}report: {{trackers: [{{kind: wandb, project: '${{env:PROJECT}}', mode: offline}}]}}\n",
    "env_address": f"{RIGHT}report: {{trackers: [{{kind: mlflow, tracking_uri: '${{env:MLFLOW}}'}}]}}\n",
    "extends_outside": f"{RIGHT}extends: ../outside/base.yaml\n",
    "extends_link": f"{RIGHT}extends: link.yaml\n",
    "extends_env": f"{RIGHT}extends: .env\n",
    "extends_foreign": f"{RIGHT}extends: secrets.yaml\n",
    "use_outside": RIGHT + "search: {use: ../outside/base.yaml, optimize: {metric: valid/loss}, trials: 2}\n",
    "data": RIGHT.replace("source: digits", "source: {kind: csv, path: .env, target: species}"),
    "data_table": RIGHT.replace("source: digits", "source: {kind: csv, path: credentials, target: species}"),
    "use_netrc": RIGHT + "search: {use: ./.netrc, optimize: {metric: valid/loss}, trials: 2}\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root, outside = tmp_path / "project", tmp_path / "outside"
    for folder, files in ((root, {**FILES, "pyproject.toml": "", "net.py": NET}), (outside, {})):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
    (outside / "base.yaml").write_text(f"model: {{kind: {CANARY}}}\ntraining.epochs: {CANARY}\n")
    (outside / "notes.txt").write_text(CANARY)
    (root / "link.yaml").symlink_to("../outside/base.yaml")
    (root / "notes.txt").symlink_to("../outside/notes.txt")
    (root / "folder").symlink_to("../outside")
    (root / "settings.txt").symlink_to(".env")
    (root / "right.yaml").write_text(RIGHT)
    for name, value in {
        "WANDB_API_KEY": CANARY,
        "PROJECT": f"team-{CANARY}",
        "MLFLOW": ADDRESS,
        "RAY_JOB_HEADERS": json.dumps({"Authorization": f"Bearer {CANARY}"}),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(root)
    return root


class Recorded:
    """A cluster that takes everything, and whose answers repeat the address."""

    def submit(self, request: RunRequest) -> Submitted:
        return Submitted("job", request.id, summary="submitted")

    def status(self, job: str) -> JobState:
        raise BackendError("cluster-refused", f"{ADDRESS}/api/jobs?token={CANARY} refused")

    def stop(self, job: str) -> bool:
        raise BackendError("cluster-refused", f"{ADDRESS} refused")

    def logs(self, job: str, write: Callable[[str], None]) -> None: ...


def craftc(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


def holding(folder: Path) -> list[str]:
    """The files below a folder, links not followed, that hold the canary."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path.relative_to(folder)) for path in found if CANARY.encode() in path.read_bytes()]


def test_canaries(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for name, text in SPECS.items():
        Path(f"{name}.yaml").write_text(text)
        for format in ("text", "json", "github", "sarif"):
            said[f"lint {name} {format}"] = output = craftc("lint", f"{name}.yaml", "--format", format)
            assert name.startswith("data") or ('"valid": true' not in output and "0 errors" not in output)
        said[f"plan {name}"] = craftc("plan", f"{name}.yaml")
        said[f"run {name}"] = craftc("run", f"{name}.yaml", "--backend", "inline")
        Path(f"{name}.yaml").unlink()
    for name in FILES:
        said[f"lint {name}"] = craftc("lint", name)
    said["diff"] = craftc("lint", "--diff", *FILES)
    # What is sent.
    packed = pack(project / "right.yaml", project / "runs")
    assert packed.files == ("net.py", "pyproject.toml", "right.yaml")
    stage(packed, tmp_path / "staged")
    said["notes"] = "\n".join(notes(packed))
    said["dry run"] = craftc("submit", "right.yaml", "--address", ADDRESS, "--dry-run")
    assert "left out:\n.aws/\n" in said["dry run"]
    for address in (ADDRESS, f"http://127.0.0.1:1?token={CANARY}", f"ray://{CANARY}@127.0.0.1:1"):
        said[f"submit {address[:5]}"] = craftc("submit", "right.yaml", "--address", address)
    for address in (ADDRESS, f"me:{CANARY}@127.0.0.1:1"):
        said[f"run {address[:4]}"] = craftc("run", "right.yaml", "--address", address)
    # What is remembered, and what is told of it.
    monkeypatch.setattr("craftc.cli.submit.open_cluster", lambda *args, **options: Recorded())
    monkeypatch.setattr("craftc.runtime.submitting.open_cluster.open_cluster", lambda *args, **options: Recorded())
    said["submitted"] = craftc("submit", "right.yaml", "--address", ADDRESS)
    assert "submitted" in said["submitted"]
    said["status"] = craftc("status")
    said["status json"] = craftc("status", "--format", "json")
    assert json.loads(said["status json"])["submissions"][0]["address"] == "http://127.0.0.1:1"
    said["stop"] = craftc("stop", "job")
    assert {name for name, output in said.items() if CANARY in output} == set()
    assert holding(tmp_path / "staged") == []
    assert set(holding(project)) == set(FILES)
