"""A plan -> the trials of it that are tried before any is trained: one of each shape."""

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.planning.shapes import shapes_of, trials_to_try
from craftc.schemas.plan import Plan

SPEC = """craftc: 1
name: shapes
data: {source: digits}
model: {kind: mlp, hidden: [8], dropout: 0.1}
objective: cross_entropy
training: {epochs: 2, batch_size: 8, optimizer: {kind: adamw, lr: 1e-3}}
ablation:
  seeds: 2
  grid: {%s}
"""


def plan_of(grid: str) -> Plan:
    plan = compile_spec(SPEC % grid, "spec.yaml", built_in_catalogue()).plan
    assert plan is not None
    return plan


def tried(grid: str) -> list[str]:
    return [trial.variant for trial in shapes_of(plan_of(grid).trials)]


def test_seeds_rates_and_epochs_make_no_new_shape() -> None:
    assert tried("training.optimizer.lr: [1e-4, 1e-2], training.epochs: [5], model.dropout: [0.2]") == ["base"]
    assert tried("data.splits.seed: [1]") == ["base"]


def test_sizes_components_and_what_is_switched_off_do() -> None:
    assert tried("model.hidden: [[16], [8, 8]]") == ["base", "hidden=[16]", "hidden=[8,8]"]
    assert tried("training.optimizer: [sgd]") == ["base", "optimizer=sgd"]
    assert tried("model.dropout: [0.0]") == ["base", "dropout=0"]
    assert tried("training.optimizer.lr: [1e30]") == ["base", "lr=1e30"]
    assert tried("training.batch_size: [16]") == ["base", "batch_size=16"]


def test_what_has_been_trained_is_not_tried() -> None:
    plan = plan_of("model.hidden: [[16]]")
    assert [trial.variant for trial in trials_to_try(plan)] == ["base", "hidden=[16]"]
    begun = {plan.trials[1].id}  # of another seed than the first
    assert [trial.variant for trial in trials_to_try(plan, begun)] == ["hidden=[16]"]
    reused = tuple(trial.model_copy(update={"status": "reused"}) for trial in plan.trials)
    assert trials_to_try(plan.model_copy(update={"trials": reused})) == ()
    one_new = (*reused[:1], *plan.trials[1:])
    assert [trial.variant for trial in trials_to_try(plan.model_copy(update={"trials": one_new}))] == ["hidden=[16]"]
