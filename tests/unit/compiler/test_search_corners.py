"""The corners of a search are a point of each shape at its ends and choices, and none that the language refuses."""

from pathlib import Path

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.shapes import shape_key
from craftc.compiler.search_corners import MOST_CORNERS, search_corners
from craftc.schemas.plan import Trial

SPEC = """\
craftc: 1
name: example
data: {source: digits}
model: {kind: scanline_vit, d_model: 32, num_heads: 4}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 5, batch_size: 32, optimizer: {kind: adamw, lr: 1e-3}}
ablation: {require: ["model.d_model <= 64"]}
search:
  space: SPACE
  optimize: {metric: valid/accuracy}
  trials: 3
"""


def corners(space: str) -> tuple[Trial, ...]:
    compiled = compile_spec(SPEC.replace("SPACE", space), "spec.yaml", built_in_catalogue())
    assert compiled.plan is not None, compiled.diagnostics
    assert compiled.plan.search is not None
    known = {shape_key(trial) for trial in compiled.plan.trials}
    return search_corners(PointCompiler(compiled.analysis, Path("spec.yaml")), compiled.plan.search, known)


def test_each_end_and_choice_once_and_all_ranges_at_their_highest() -> None:
    found = corners(
        "{model.d_model: {int: [16, 64], step: 16}, training.optimizer.lr: {log_uniform: [1e-4, 1e-2]}, "
        "model.num_layers: {int: [1, 3]}, model.pooling: {choice: [cls, mean, last]}}"
    )
    values = [{**trial.overrides} for trial in found]
    assert values == [
        {"model.d_model": 64, "training.optimizer.lr": 0.01, "model.num_layers": 3},
        {"model.d_model": 64},
        {"model.d_model": 16},
        {"model.num_layers": 3},
        {"model.num_layers": 1},
        {"model.pooling": "last"},
        {"model.pooling": "mean"},
    ]
    assert [trial.variant for trial in found][:2] == ["base at the highest of every range", "base at model.d_model=64"]


def test_what_require_and_constraints_refuse_is_no_corner() -> None:
    found = corners("{model.d_model: {int: [30, 128]}}")
    assert found == ()


def test_what_changes_no_shape_is_not_tried() -> None:
    assert corners("{training.optimizer.lr: {log_uniform: [1e-4, 1e-2]}}") == ()


def test_they_are_bounded() -> None:
    assert len(corners(f"{{training.batch_size: {{choice: {list(range(33, 133))}}}}}")) == MOST_CORNERS
