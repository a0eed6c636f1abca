"""The examples of a tracker and of a cluster of one's own do what their pages say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def craftc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craftc", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture
def example(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of an example, by its name."""
    return Path(shutil.copytree(ROOT / "examples" / request.param, tmp_path / request.param))


@pytest.mark.parametrize("example", ["02_own_tracker"], indirect=True)
def test_a_tracker_of_ones_own(example: Path) -> None:
    spec = (example / "spec.yaml").read_text()
    (example / "typo.yaml").write_text(spec.replace("file: trials.md", "files: trials.md"))
    typo = craftc(example, "lint", "typo.yaml")
    assert typo.returncode == 1
    assert 'unknown key "files" in "report.trackers.0"; did you mean "file"?' in typo.stderr + typo.stdout

    ran = craftc(example, "run", "spec.yaml", "--backend", "inline")
    assert ran.returncode == 0, ran.stderr
    (log,) = example.glob("runs/logged/*/trials.md")
    lines = log.read_text().splitlines()
    assert lines[0] == f"# logged, {log.parent.name}"
    assert lines[2:4] == ["| variant | model.hidden | seed | test/accuracy |", "| --- | --- | --- | --- |"]
    plan = json.loads((log.parent / "plan.json").read_text())
    expected = set()
    for trial in plan["trials"]:
        result = json.loads((example / "runs/store" / trial["id"] / "result.json").read_text())
        hidden = json.dumps(trial["config"]["model"]["hidden"])
        cells = (trial["variant"], hidden, str(trial["seed"]), f"{result['best']['test/accuracy']:.4f}")
        expected.add(f"| {' | '.join(cells)} |")
    assert len(expected) == 4
    assert set(lines[4:]) == expected

    # What a tracker raises is a warning, and every trial is trained.
    module = example / "lab_log" / "markdown.py"
    module.write_text(
        module.read_text().replace("match event:", 'raise OSError("the disk is full")\n        match event:')
    )
    (example / "spec.yaml").write_text(spec.replace("[16], [64]", "[8], [32]"))
    failing = craftc(example, "run", "spec.yaml", "--backend", "inline")
    assert failing.returncode == 0, failing.stderr
    assert failing.stderr.count("the disk is full") == 1
    assert "tracker lab_log.markdown:MarkdownLog failed and is told nothing more of this run: OSError" in failing.stderr


@pytest.mark.parametrize("example", ["03_own_cluster"], indirect=True)
def test_a_cluster_of_ones_own(example: Path) -> None:
    cluster = ("--cluster", "lab_cluster.this_machine:ThisMachine")
    sent = craftc(example, "submit", "spec.yaml", *cluster, "--follow")
    assert sent.returncode == 0, sent.stderr
    name, *log = sent.stdout.splitlines()
    assert re.fullmatch(r"sent-[0-9a-f]{8}", name)
    assert "2 trials: 2 new, 0 reused" in log[0]
    assert re.search(rf"^{name}\.\d+: finished$", sent.stderr, re.MULTILINE)
    shown = craftc(example, "status", name).stdout
    assert f"{name}: finished" in shown
    assert "on lab_cluster.this_machine:ThisMachine" in shown
    assert re.search(r"^run: sent/\S+: finished; trials: 2 finished", shown, re.MULTILINE)

    long = (example / "spec.yaml").read_text().replace("epochs: 3", "epochs: 100000")
    (example / "long.yaml").write_text(long)
    going = craftc(example, "submit", "long.yaml", *cluster)
    assert going.returncode == 0, going.stderr
    name = going.stdout.strip()
    assert f"{name}: running" in craftc(example, "status", name).stdout
    stopped = craftc(example, "stop", name)
    assert stopped.returncode == 0, stopped.stderr
    assert f"{name}: stopped; what was trained is kept" in stopped.stderr
    assert f"{name}: stopped" in craftc(example, "status", name).stdout
    assert "is not running" in craftc(example, "stop", name).stderr

    # Another class, or none, is told in a line of its own.
    (example / "lab_cluster" / "half.py").write_text("class Half:\n    def __init__(self, runs_dir): pass\n")
    for kind, reason in (("half:Half", "has no submit(), so it is no cluster"), ("none:No", "No module named")):
        refused = craftc(example, "submit", "spec.yaml", "--cluster", f"lab_cluster.{kind}")
        assert refused.returncode == 1
        assert re.search(rf"^error\[cluster-unusable\]: .*{re.escape(reason)}", refused.stderr, re.MULTILINE)
