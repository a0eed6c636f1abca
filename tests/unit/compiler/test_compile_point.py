"""Points of a search, compiled: the same trials as a spec with those values, or the reason why there are none."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse, compile_spec

SPEC = """\
craftc: 1
name: example
data: {{source: digits}}
model: {{kind: scanline_vit, d_model: {d_model}, num_heads: 4}}
objective: {{kind: cross_entropy, metrics: [accuracy]}}
regularization: {{dropout: {dropout}}}
training: {{epochs: 5, batch_size: 32, optimizer: {{kind: adamw, lr: {lr}}}}}
ablation: {{seeds: [3, 5], features: {{dropout: {{regularization.dropout: 0.0}}}}, require: ["model.d_model <= 64"]}}
"""
SEARCH = """\
search:
  space:
    training.optimizer.lr: {log_uniform: [1e-4, 1e-2]}
    model.d_model: {int: [16, 80]}
  optimize: {metric: valid/accuracy}
  trials: 3
"""


@pytest.fixture(scope="module")
def proposer() -> PointCompiler:
    text = SPEC.format(d_model=32, dropout=0.1, lr="1e-3") + SEARCH
    analysis = analyse(text, "spec.yaml", built_in_catalogue())
    assert analysis.diagnostics == ()
    return PointCompiler(analysis, Path("x.yaml"))


def test_a_point_is_the_trials_of_the_spec_with_its_values(proposer: PointCompiler) -> None:
    proposal = proposer("-dropout", {"training.optimizer.lr": 0.005, "model.d_model": 48}, 7)
    written = compile_spec(SPEC.format(d_model=48, dropout=0.0, lr="0.005"), "spec.yaml", built_in_catalogue())
    assert written.plan is not None
    assert [trial.id for trial in proposal.trials] == [t.id for t in written.plan.trials if t.variant == "full"]
    assert [trial.seed for trial in proposal.trials] == [3, 5]
    assert {trial.variant for trial in proposal.trials} == {"-dropout#7"}
    assert proposal.trials[0].overrides == {
        "regularization.dropout": 0.0, "training.optimizer.lr": 0.005, "model.d_model": 48,
    }  # fmt: skip


def test_a_point_of_folds_is_the_trials_of_every_fold() -> None:
    splits = "splits: {{train: 0.8, valid: 0.2, folds: 3}}"
    text = SPEC.replace("source: digits", f"source: digits, {splits}")
    analysis = analyse(text.format(d_model=32, dropout=0.1, lr="1e-3") + SEARCH, "spec.yaml", built_in_catalogue())
    assert analysis.diagnostics == ()
    point = PointCompiler(analysis, Path("x.yaml"))("full", {"training.optimizer.lr": 0.005, "model.d_model": 48}, 1)
    written = compile_spec(text.format(d_model=48, dropout=0.1, lr="0.005"), "spec.yaml", built_in_catalogue())
    assert written.plan is not None
    assert [trial.id for trial in point.trials] == [t.id for t in written.plan.trials if t.variant == "full"]
    assert [(trial.fold, trial.seed) for trial in point.trials] == [(0, 3), (0, 5), (1, 3), (1, 5), (2, 3), (2, 5)]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"model.d_model": 33}, "d_model % num_heads == 0"),
        ({"model.d_model": 80}, "require"),
        ({"model.d_model": 0}, "expected a whole number >= 1"),
        ({"objective": {"kind": "cross_entropy", "metrics": ["f1_macro"]}}, 'nothing records "test/accuracy"'),
    ],
)
def test_a_point_that_cannot_be_trained_says_why(proposer: PointCompiler, params: dict[str, Any], reason: str) -> None:
    proposal = proposer("full", params, 1)
    assert proposal.trials == ()
    assert reason in " ".join(proposal.problems)


def test_lint_and_plan_of_a_search_import_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.format(d_model=32, dropout=0.1, lr="1e-3") + SEARCH)
    for command in ("lint", "plan"):
        script = (
            "import sys\n"
            "from craftc.cli.main import app\n"
            f"app([{command!r}, {str(path)!r}], standalone_mode=False)\n"
            "heavy = {'optuna', 'torch', 'ray', 'wandb', 'numpy', 'sqlalchemy'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_plan_is_the_same_bytes_in_another_process() -> None:
    text = SPEC.format(d_model=32, dropout=0.1, lr="1e-3") + SEARCH
    script = (
        "import sys\n"
        "from craftc.compiler.language.catalogue import built_in_catalogue\n"
        "from craftc.compiler.pipeline import compile_spec\n"
        "sys.stdout.write(compile_spec(sys.stdin.read(), 's.yaml', built_in_catalogue()).plan.model_dump_json())\n"
    )
    plans = {
        subprocess.run([sys.executable, "-c", script], input=text, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(plans) == 1
    assert '"search":{"metric":"valid/accuracy","mode":"max"' in plans.pop()
