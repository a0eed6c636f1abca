"""A plan over data that only loading shows -> what contradicts the spec, before anything is trained."""

from pathlib import Path

import numpy as np

from craftc.compiler.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.preflight import preflight

SPEC = """craftc: 1
name: table
data: {source: {kind: arrays, path: data.npz}, splits: {train: 0.5, valid: 0.5}, augment: [horizontal_flip]}
model: {kind: mlp}
objective: {kind: cross_entropy}
training: {epochs: 1, batch_size: 21, optimizer: sgd}
"""


def found(folder: Path, shape: tuple[int, ...]) -> list[tuple[str, tuple[str | int, ...], str]]:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=shape).astype(np.float32), np.arange(shape[0]) % 2
    np.savez(folder / "data.npz", inputs=inputs, targets=targets)
    plan = compile_spec(SPEC, str(folder / "spec.yaml"), built_in_catalogue()).plan
    assert plan is not None
    return [(problem.code, problem.path, problem.severity) for problem in preflight(plan)]


def test_a_flip_of_a_table_and_a_batch_of_more_than_there_is(tmp_path: Path) -> None:
    assert found(tmp_path, (40, 3)) == [
        ("needs-images", ("data", "augment", 0), "error"),
        ("batch-too-large", ("training", "batch_size"), "warning"),
    ]


def test_images_enough_for_a_batch(tmp_path: Path) -> None:
    assert found(tmp_path, (42, 3, 3)) == []
