"""The factors of a search, as trackers are told of them."""

from craftc.compiler.compile_point import PointCompiler
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.runtime.observers.factors import Choices, Interval, factors_of

SPEC = """\
craftc: 1
name: example
data: {source: digits}
model: {kind: mlp}
objective: {kind: cross_entropy, metrics: [accuracy]}
training: {epochs: 5, batch_size: 32, optimizer: {kind: adamw, lr: 1e-3}}
search:
  space:
    training.optimizer.lr: {log_uniform: [1e-4, 1e-2]}
    training.batch_size: {int: [16, 64], step: 16}
    data.normalize: {choice: [none, {kind: per_line}]}
  optimize: {metric: valid/accuracy}
  trials: 3
"""


def test_ranges_are_axes_and_points_have_a_place_on_them(tmp_path):
    compiled = compile_spec(SPEC, "spec.yaml", built_in_catalogue())
    factors = factors_of(compiled.analysis.spec, compiled.plan)
    assert factors.axes["training.optimizer.lr"] == Interval(distribution="log_uniform", low=1e-4, high=1e-2)
    assert factors.axes["training.batch_size"] == Interval(distribution="int", low=16, high=64, step=16)
    assert factors.axes["data.normalize"] == Choices(values=("none", "per_line"))
    proposer = PointCompiler(compiled.analysis, tmp_path / "x.yaml")
    params = {"training.optimizer.lr": 0.002, "training.batch_size": 48, "data.normalize": {"kind": "per_line"}}
    (trial,) = proposer("base", params, 1).trials
    assert factors.values_of(trial) == {**params, "data.normalize": "per_line", "seed": 0}
