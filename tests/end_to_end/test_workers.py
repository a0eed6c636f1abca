"""`craftc run` of trials that have several workers, as its user meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# A start that learns, and a range in which nothing does: every point falls behind and is stopped.
SPEC = """\
craftc: 1
name: pruned
data: {source: digits}
model: {kind: mlp, hidden: [32]}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 6, batch_size: 64, optimizer: {kind: adamw, lr: 1e-2}}
search:
  space: {training.optimizer.lr: {log_uniform: [1e-6, 1e-5]}}
  optimize: {metric: valid/accuracy}
  sampler: random
  pruner: {kind: successive_halving, min_epochs: 1, reduction_factor: 2}
  trials: 2
resources: {workers: 2, max_concurrent: 1}
"""


@pytest.mark.ray
def test_a_point_of_two_workers_is_pruned_and_the_next_one_starts(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    command = [sys.executable, "-c", "from craftc.cli.main import main; main()", "run", "spec.yaml"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert result.returncode == 0, result.stderr
    (run,) = (tmp_path / "runs" / "pruned").iterdir()
    search = json.loads((run / "search.json").read_text())
    states = [point["state"] for study in search["studies"] for point in study["points"]]
    assert states == ["finished", "pruned", "pruned"]
    assert len(list((tmp_path / "runs" / "store").glob("*/result.json"))) == 1
