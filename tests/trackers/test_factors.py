"""What a plan's trials differ in, and how a W&B sweep says it."""

import pytest
from pydantic import TypeAdapter

from craftc.runtime.observers.factors import Axis, Choices, Factors, Interval, as_scalar
from craftc.runtime.observers.wandb_sweep import goal, parameter, parameter_name, sweep_config
from craftc.schemas.plan import Headline, SearchPlan

SEARCH = SearchPlan(
    metric="valid/loss", mode="min", space={}, sampler={}, pruner={}, trials=1, seed=0, variants=("base",)
)
AXIS: TypeAdapter[Axis] = TypeAdapter(Axis)

COMPONENTS = """\
craftc: 1
name: parts
data: {source: digits, augment: [{kind: gaussian_noise, std: 0.1}]}
model: {kind: mlp, hidden: [16]}
objective: {kind: cross_entropy, class_weights: balanced}
training: {epochs: 3, batch_size: 64, optimizer: adamw}
ablation:
  features:
    noise: {data.augment: []}
    class_weights: {objective.class_weights: none}
  grid:
    data.normalize: [none, per_line]
    model.hidden: [[16], [16, 8]]
"""

CLASH = """\
craftc: 1
name: clash
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: cross_entropy
training: {epochs: 3, batch_size: 64, optimizer: adamw}
ablation:
  grid: {training.optimizer: [{kind: adamw, lr: 1e-2}, {kind: adamw, lr: 1e-3}, sgd]}
"""

PRODUCT = """\
craftc: 1
name: product
data: {source: digits}
model: {kind: mlp, hidden: [16]}
objective: cross_entropy
training: {epochs: 3, batch_size: 64, optimizer: adamw}
ablation:
  seeds: 2
  grid: {training.batch_size: [32, 64], training.epochs: [3, 4]}
"""


def axes(told):
    return {name: axis.values for name, axis in told.factors.axes.items()}


def test_components_are_named_by_their_kinds(make_run):
    assert axes(make_run(COMPONENTS)) == {
        "feature.noise": (True, False),
        "feature.class_weights": (True, False),
        "data.augment": ("gaussian_noise", "none"),
        "objective.class_weights": ("balanced", "none"),
        "data.normalize": ("none", "per_line"),
        "model.hidden": ("[16]", "[16,8]"),
        "seed": (0,),
    }


def test_components_of_one_kind_are_told_apart(make_run):
    values = axes(make_run(CLASH))["training.optimizer"]
    # The spec as written has AdamW's own learning rate, 1e-3.
    assert len(values) == 3
    assert sum('"kind":"adamw"' in value for value in values) == 2


def test_every_trial_has_a_value_of_every_parameter(make_run):
    for text in (COMPONENTS, CLASH, PRODUCT):
        told = make_run(text)
        for trial in told.plan.trials:
            placed = told.factors.values_of(trial)
            assert placed.keys() == told.factors.axes.keys()
            assert all(value in told.factors.axes[name].values for name, value in placed.items())


def test_the_method_is_grid_only_where_the_trials_are_the_whole_product(make_run):
    product, parts = make_run(PRODUCT), make_run(COMPONENTS)
    assert sweep_config(product.factors, product.plan, "r")["method"] == "grid"
    assert sweep_config(parts.factors, parts.plan, "r")["method"] == "custom"
    drawn = Factors(axes={"training.batch_size": Interval(distribution="int", low=8, high=64)})
    assert sweep_config(drawn, product.plan, "r")["method"] == "random"


def test_a_sweeps_goal_is_what_is_searched_for_and_never_test(make_run):
    told = make_run(PRODUCT)
    goals = {
        "as written": sweep_config(told.factors, told.plan, "r")["metric"],
        "of valid": goal(told.plan.model_copy(update={"headline": Headline(split="valid", metric="f", mode="max")})),
        "of a search": goal(told.plan.model_copy(update={"search": SEARCH})),
    }
    assert told.plan.headline.split == "test"
    assert goals == {
        "as written": {"name": f"valid/{told.plan.headline.metric}", "goal": "maximize"},
        "of valid": ("valid/f", "max"),
        "of a search": ("valid/loss", "min"),
    }


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (Choices(values=("a", 1, True)), {"values": ["a", 1, True]}),
        (Interval(distribution="uniform", low=0, high=1), {"distribution": "uniform", "min": 0, "max": 1}),
        (
            Interval(distribution="uniform", low=0, high=1, step=0.25),
            {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.25},
        ),
        (
            Interval(distribution="log_uniform", low=1e-5, high=1e-2),
            {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-2},
        ),
        (Interval(distribution="int", low=1, high=8), {"distribution": "int_uniform", "min": 1, "max": 8}),
        (
            Interval(distribution="int", low=8, high=64, step=8),
            {"distribution": "q_uniform", "min": 8, "max": 64, "q": 8},
        ),
        (
            Interval(distribution="log_int", low=8, high=512),
            {"distribution": "q_log_uniform_values", "min": 8, "max": 512, "q": 1},
        ),
    ],
)
def test_ranges_in_the_words_of_wandb(axis, expected):
    assert parameter(axis) == expected
    assert {key: type(value) for key, value in parameter(axis).items() if axis.type == "interval"} == {
        key: type(value) if getattr(axis, "distribution", "") in ("int", "log_int") or key == "distribution" else float
        for key, value in expected.items()
        if axis.type == "interval"
    }
    assert AXIS.validate_json(AXIS.dump_json(axis)) == axis


def test_names_are_such_as_wandb_takes():
    assert parameter_name("training.schedule.0.epochs") == "training.schedule.0.epochs"
    assert parameter_name("feature.drop out/x") == "feature.drop_out_x"
    assert parameter_name("0.5") == "_0.5"


def test_a_list_that_is_none_of_components_is_json():
    assert as_scalar([1, 2.5]) == "[1,2.5]"
    assert as_scalar([{"kind": "a", "p": 1}, {"kind": "b"}]) == "a+b"
    assert as_scalar([]) == "none"
