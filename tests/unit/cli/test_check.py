"""`craftc check`, and what `craftc run` does before it trains: every variant tried, a mistake told at its value."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from craftc.cli.check_view.table import scaled
from craftc.cli.main import app

NETS = """import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes: int, width: int = 8, two_faced: bool = False) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, width), nn.Linear(8, num_classes)
        self.two_faced = two_faced
        print("a model prints")

    def forward(self, x):
        logits = self.head(torch.relu(self.body(x.flatten(1))))
        return (logits, logits) if self.two_faced and self.training else logits
"""
SPEC = """craftc: 1
name: checked
data: {source: digits}
model: {kind: checked_nets:Net}
objective: cross_entropy
training: {epochs: 2, batch_size: 256, optimizer: {kind: adamw, lr: 1e-3}}
ablation:
  seeds: 2
  grid:
    training.optimizer.lr: [1e-2]
    model.width: [16]
    model.two_faced: [true]
  design: [one_at_a_time]
"""
GOOD = SPEC.replace("    model.width: [16]\n    model.two_faced: [true]\n", "    model: [{kind: mlp, hidden: [4]}]\n")
runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    # Each test has a module of that name of its own.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "checked_nets", raising=False)
    Path("checked_nets.py").write_text(NETS)
    Path("spec.yaml").write_text(SPEC)
    Path("good.yaml").write_text(GOOD)
    return tmp_path


def test_every_variant_has_its_figures_and_one_of_a_shape_is_checked(here: Path) -> None:
    result = runner.invoke(app, ["check", "good.yaml"])
    assert (result.exit_code, set(result.stderr.splitlines())) == (0, {"a model prints"})
    heading, *rows, last = result.stdout.splitlines()
    assert heading.split() == ["variant", "parameters", "FLOPs/sample", "ms/step", "memory/step"]
    parameters = str(64 * 8 + 8 + 8 * 10 + 10)
    flops = f"{2 * (64 * 8 + 8 * 10) / 1000:.3g}"
    assert [row.split()[:3] for row in rows] == [
        ["base", parameters, flops],
        ["lr=0.01", parameters, flops],
        ["model=mlp", str(64 * 4 + 4 + 4 * 10 + 10), "592"],
    ]
    assert rows[1].rstrip().endswith("as base")
    assert last == "3 variants of 2 shapes checked on cpu: 0 errors, 0 warnings"
    assert not (here / "runs").exists()


def test_a_mistake_is_told_at_the_value_that_makes_the_variant(here: Path) -> None:
    result = runner.invoke(app, ["check", "spec.yaml"])
    assert result.exit_code == 1
    wrong_width, two_faced = [line for line in result.stderr.splitlines() if "error[" in line]
    assert wrong_width.startswith('spec.yaml:11:19: error[model-forward]: variant "width=16": model checked_nets:Net')
    assert "mat1 and mat2 shapes cannot be multiplied" in wrong_width
    assert two_faced.startswith(
        'spec.yaml:12:23: error[model-output-shape]: variant "two_faced=true": model checked_nets:Net in training mode'
    )
    assert [line.split()[-1] for line in result.stdout.splitlines() if line.startswith(("width", "two"))] == [
        "failed",
        "failed",
    ]
    assert "Traceback" not in result.output
    assert "RuntimeError: mat1" in runner.invoke(app, ["check", "spec.yaml", "--traceback"]).stderr


def test_as_json(here: Path) -> None:
    result = runner.invoke(app, ["check", "spec.yaml", "--format", "json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["name"], found["valid"]) == ("checked", False)
    assert [(row["variant"], row["checked_as"], row["ok"]) for row in found["variants"]] == [
        ("base", "base", True),
        ("lr=0.01", "base", True),
        ("width=16", "width=16", False),
        ("two_faced=true", "two_faced=true", False),
    ]
    assert found["variants"][0]["flops_per_sample"] == 2 * (64 * 8 + 8 * 10)
    assert [each["path"] for each in found["diagnostics"]] == [
        'ablation.grid["model.width"].0',
        'ablation.grid["model.two_faced"].0',
    ]


def test_a_run_trains_nothing_where_one_variant_cannot_be(here: Path) -> None:
    result = runner.invoke(app, ["run", "spec.yaml", "--backend", "inline"])
    assert result.exit_code == 1
    assert 'spec.yaml:11:19: error[model-forward]: variant "width=16"' in result.stderr
    assert 'spec.yaml:12:23: error[model-output-shape]: variant "two_faced=true"' in result.stderr
    assert "2 errors, 0 warnings" in result.stderr
    assert result.stdout == ""
    assert not list(Path("runs/store").glob("*/metrics.jsonl"))
    [log] = Path("runs/checked").glob("*/log")
    assert f"the traceback is in {log}" in result.stderr
    assert "RuntimeError: mat1 and mat2" in log.read_text()
    assert "variant base was tried" in log.read_text()


def test_what_is_in_the_store_is_not_tried_and_trying_changes_no_number(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runner.invoke(app, ["run", "good.yaml", "--backend", "inline"]).exit_code == 0
    [log] = Path("runs/checked").glob("*/log")
    assert log.read_text().count("was tried") == 2
    Path("more.yaml").write_text(GOOD.replace("seeds: 2", "seeds: 3").replace("[1e-2]", "[1e-2, 3e-3]"))
    assert runner.invoke(app, ["run", "more.yaml", "--backend", "inline"]).exit_code == 0
    logs = [log.read_text() for log in Path("runs/checked").glob("*/log")]
    assert sum(text.count("was tried") for text in logs) == 2
    monkeypatch.setattr("craftc.cli.run.trials_to_try", lambda plan, begun: ())
    assert runner.invoke(app, ["run", "more.yaml", "--backend", "inline", "--runs-dir", "untried"]).exit_code == 0
    assert histories(Path("runs")) == histories(Path("untried"))
    assert len(histories(Path("runs"))) == 3 * 4


def histories(runs: Path) -> dict[str, list[dict[str, float]]]:
    found = {}
    for path in runs.glob("store/*/metrics.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        found[path.parent.name] = [{**line, "seconds": 0, "seal": ""} for line in lines]
    return found


def test_numbers_have_three_digits_and_a_unit() -> None:
    units = ("", " k", " M")
    assert [scaled(number, 1000, units) for number in (7, 999, 1000, 2368, 123_456, 999_999, 5e9)] == [
        "7", "999", "1 k", "2.37 k", "123 k", "1 M", "5000 M",
    ]  # fmt: skip


PARTS = """
class NoStep(torch.optim.SGD):
    def step(self, closure=None):
        raise ValueError("no step")

class NoRate:
    epochs = "none"

    def lr(self, base_lr, step, num_steps, steps_per_epoch):
        raise ValueError("no rate")

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x ** 2

    @staticmethod
    def backward(ctx, gradient):
        raise ValueError("no gradient")

class NoBackward(nn.CrossEntropyLoss):
    def forward(self, logits, targets):
        return Square.apply(super().forward(logits, targets))

class Frozen(Net):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.requires_grad_(False)
"""


@pytest.mark.parametrize(
    ("path", "part", "said"),
    [
        (("training", "optimizer"), "{kind: checked_nets:NoStep, lr: 0.1}",
         "error[optimizer-failed]: optimizer NoStep, step: ValueError: no step"),
        (("training", "optimizer"), "{kind: torch.optim:SparseAdam, lr: 0.1}",
         "error[optimizer-failed]: optimizer SparseAdam, step: RuntimeError: SparseAdam does not support dense"),
        (("training", "schedule"), "[{kind: checked_nets:NoRate}]",
         "error[schedule-failed]: schedule phase NoRate, lr of step 0: ValueError: no rate"),
        (("objective",), "{kind: checked_nets:NoBackward}", "error[objective-failed]: objective "
         "checked_nets:NoBackward on outputs (2, 10) and targets (2,), backward: ValueError: no gradient"),
        (("model",), "{kind: checked_nets:Frozen}",
         "error[nothing-to-train]: none of the 4 parameters of the model Frozen is trained"),
    ],
)  # fmt: skip
def test_what_a_part_raises_is_placed_at_the_part(here: Path, path: tuple[str, ...], part: str, said: str) -> None:
    Path("checked_nets.py").write_text(NETS + PARTS)
    spec = {
        ("model",): "{kind: linear}",
        ("objective",): "cross_entropy",
        ("training", "optimizer"): "{kind: sgd, lr: 0.1}",
        ("training", "schedule"): "[constant]",
        path: part,
    }
    lines = ["craftc: 1", "name: parts", "data: {source: digits}", f"model: {spec[('model',)]}"]
    lines += [f"objective: {spec[('objective',)]}", "training:", "  epochs: 1", "  batch_size: 256"]
    lines += [f"  {key[1]}: {value}" for key, value in spec.items() if len(key) > 1]
    Path("spec.yaml").write_text("\n".join(lines) + "\n")
    result = runner.invoke(app, ["check", "spec.yaml"])
    line = next(number for number, text in enumerate(lines, 1) if text.strip().startswith(f"{path[-1]}:"))
    errors = [text for text in result.stderr.splitlines() if "error[" in text]
    assert (result.exit_code, len(errors)) == (1, 1)
    assert errors[0].startswith(f"spec.yaml:{line}:")
    assert said in errors[0]


def test_the_columns_of_a_table_are_shown_though_its_file_is_no_text(here: Path) -> None:
    table = pd.DataFrame({"hp": [1.5, None] * 20, "maker": ["ford", "vw"] * 20, "y": ["u", "u", "v", "v"] * 10})
    table.assign(kg=[row + 0.5 for row in range(40)], tags=[[1]] * 40).to_parquet("d.parquet")
    source = "{source: {kind: parquet, path: d.parquet, target: y, impute: mean}}"
    Path("table.yaml").write_text(GOOD.replace("{source: digits}", source).replace("batch_size: 256", "batch_size: 8"))
    shown = runner.invoke(app, ["check", "table.yaml"])
    assert "columns of parquet" in shown.stdout, shown.stderr
    assert "hp      number             guessed    20       1" in shown.stdout
    assert "maker   category           guessed     0       2" in shown.stdout
    assert "tags    ignore" in shown.stdout
    [columns] = json.loads(runner.invoke(app, ["check", "table.yaml", "--format", "json"]).stdout)["columns"]
    assert [column["role"] for column in columns] == ["number", "category", "target", "number", "ignore"]


def test_the_corners_of_a_search_are_tried_and_reported_at_their_ranges(here: Path) -> None:
    spec = SPEC.partition("ablation:")[0] + (
        "search:\n  space:\n    training.optimizer.lr: {log_uniform: [1e-4, 1e-2]}\n"
        "    model.width: {int: [8, 16]}\n  optimize: {metric: valid/loss}\n  trials: 3\n"
    )
    Path("spec.yaml").write_text(spec)
    result = runner.invoke(app, ["check", "spec.yaml", "--format", "json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    rows = {row["variant"]: row["ok"] for row in found["variants"]}
    assert rows == {"base": True, "base at the highest of every range": False}
    [problem] = found["diagnostics"]
    assert (problem["code"], problem["path"]) == ("model-forward", 'search.space["model.width"]')
    assert problem["range"]["start"]["line"] == 10
    assert "base at the highest of every range" in problem["message"]


def test_micro_batches_are_shown(here: Path) -> None:
    Path("parts.yaml").write_text(f"{GOOD}resources: {{micro_batch: 100}}\n")
    result = runner.invoke(app, ["check", "parts.yaml"])
    assert "samples of a batch at a time (micro_batch): 100\n" in result.stdout
    sized = GOOD.replace("    training.optimizer.lr: [1e-2]", "    training.batch_size: [40]")
    Path("parts.yaml").write_text(f"{sized}resources: {{micro_batch: auto}}\n")
    result = runner.invoke(app, ["check", "parts.yaml"])
    assert "(micro_batch): base 256, batch_size=40 40, model=" in result.stdout
    rows = json.loads(runner.invoke(app, ["check", "parts.yaml", "--format", "json"]).stdout)["variants"]
    assert [row["micro_batch"] for row in rows] == [256, 40, 256]


def test_a_group_of_no_parameter_is_placed_at_the_groups(here: Path) -> None:
    spec = GOOD.replace("batch_size: 256", 'batch_size: 256, groups: [{parameters: "heads.*"}]')
    Path("groups.yaml").write_text(spec)
    result = runner.invoke(app, ["check", "groups.yaml"])
    assert result.exit_code == 1
    assert "error[parameter-group-unmatched]: " in result.stderr
    assert "the nearest are head.bias, head.weight, body." in result.stderr


def test_a_removed_module_that_is_not_there_is_placed_at_its_feature(here: Path) -> None:
    features = "  features: {head: {remove: heads}, body: {remove: {modules: body, by: zero}}}\n"
    spec = GOOD.replace("ablation:\n", f"ablation:\n{features}")
    Path("removed.yaml").write_text(spec)
    result = runner.invoke(app, ["check", "removed.yaml", "--format", "json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    [problem] = [each for each in found["diagnostics"] if each["code"] == "module-unmatched"]
    assert problem["path"] == "ablation.features.head.remove"
    assert "the nearest are head, " in problem["message"]
    rows = {row["variant"]: row for row in found["variants"]}
    whole = rows["full"]["num_parameters"]
    assert rows["-body"]["num_removed"] == whole - rows["-body"]["num_parameters"] > 0
