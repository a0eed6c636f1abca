"""Norms of gradients in a report: by layer, and a sentence where they are out of their bounds."""

import contextlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from craftc.cli.main import app
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.report.gradients import layers_in, out_of_bounds
from craftc.schemas.plan import GradientBounds
from craftc.schemas.result import EpochRecord

SPEC = {
    "craftc": 1,
    "name": "norms",
    "data": {"source": "digits"},
    "model": {"kind": "mlp", "hidden": [8]},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
    "training": {"epochs": 3, "batch_size": 256, "optimizer": {"kind": "sgd", "lr": 0.01}},
    "evaluation": {"gradient_norms": {"below": 1e-7, "above": 100}},
}


def records(values: dict[str, list[tuple[float, float]]]) -> list[EpochRecord]:
    """Of each layer (mean, largest) epoch by epoch."""
    num = len(next(iter(values.values())))
    return [
        EpochRecord(
            trial="t",
            epoch=epoch + 1,
            step=epoch + 1,
            seconds=0,
            metrics={f"train/gradient_norm.{layer}": pairs[epoch][0] for layer, pairs in values.items()}
            | {f"train/gradient_norm_max.{layer}": pairs[epoch][1] for layer, pairs in values.items()},
        )
        for epoch in range(num)
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": [(1e-7, 100.0)] * 3}, None),
        ({"a": [(1e-8, 1.0)] * 3}, "The gradient of full (seed 0) is below 1e-07 in a (epochs 1-3)"),
        (
            {"a": [(1e-8, 1.0), (1.0, 1.0), (1e-8, 1.0)], "b": [(1.0, 1.0), (1.0, 101.0), (1.0, 1.0)]},
            "The gradient of full (seed 0) is below 1e-07 in a (epochs 1, 3), and above 100 in b (epoch 2)",
        ),
        (
            {f"l{n}": [(0.0, 0.0)] for n in range(6)},
            "The gradient of full (seed 0) is below 1e-07 in l0 (epoch 1), l1 (epoch 1), l2 (epoch 1), l3 (epoch 1) "
            "and 2 more layers",
        ),
    ],
)
def test_what_is_said_of_layers(values: dict[str, list[tuple[float, float]]], said: str | None) -> None:
    bounds = GradientBounds(below=1e-7, above=100)
    assert out_of_bounds("full (seed 0)", layers_in(records(values)), bounds, "epoch") == said


def test_a_run_records_them_and_warns(tmp_path: Path) -> None:
    spec = SPEC | {"evaluation": {"gradient_norms": {"above": 1e-3}}, "ablation": {"seeds": 2}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    with contextlib.chdir(tmp_path):
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["run", "spec.yaml", "--backend", "inline"])
        found = json.loads(CliRunner().invoke(app, ["report", "norms", "--format", "json"]).stdout)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("is above 0.001 in") == 2
    assert "The gradient of base (seed 0) is above 0.001 in" in done.stdout
    assert [each["seed"] for each in found["gradients"]] == [0, 1]
    for trial in found["gradients"]:
        assert trial["above"] == 1e-3
        assert len(trial["layers"]) == 2
        for layer in trial["layers"]:
            assert layer["epochs"] == [1, 2, 3]
            assert all(0 < mean <= largest for mean, largest in zip(layer["mean"], layer["largest"], strict=True))


def test_their_bounds_are_no_part_of_a_trial_and_recording_them_is() -> None:
    ids = set()
    for norms in (None, {}, {"below": 0.0, "above": 1.0}):
        spec = SPEC | {"evaluation": {} if norms is None else {"gradient_norms": norms}}
        plan = compile_spec(yaml.safe_dump(spec), "spec.yaml", built_in_catalogue()).plan
        assert plan is not None
        ids.add(plan.trials[0].id)
    assert len(ids) == 2
