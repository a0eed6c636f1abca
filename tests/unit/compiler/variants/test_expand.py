"""Ablations to variants: designs, grid, zip, exclude, require, names, order, and mistakes at the ablation's place."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.compiler.pipeline import Compiled
from craftc.compiler.variants.ablation_size import MAX_TRIALS, MAX_VARIANTS
from craftc.compiler.variants.designs import design, num_variants
from craftc.compiler.variants.variant_names import number_name, short_names, value_names

Compile = Callable[[str], Compiled]
Told = Callable[[str], list[tuple[str, str]]]
FEATURES = "features: {a: {training.epochs: 1}, b: {model.dropout: 0.5}, c: {data.normalize: per_line}}"


def variants(compiled: Compiled) -> dict[str, dict[str, object]]:
    assert compiled.diagnostics == ()
    return {variant.name: variant.overrides for variant in compiled.analysis.variants}


def test_leave_one_out_is_the_default_design(compiled: Compile) -> None:
    assert variants(compiled(f"ablation: {{{FEATURES}}}")) == {
        "full": {},
        "-a": {"training.epochs": 1},
        "-b": {"model.dropout": 0.5},
        "-c": {"data.normalize": "per_line"},
    }


def test_add_one_switches_all_others_off(compiled: Compile) -> None:
    found = variants(compiled(f"ablation: {{{FEATURES}, design: [add_one]}}"))
    assert list(found) == ["full", "bare", "+a", "+b", "+c"]
    assert found["bare"] == {"training.epochs": 1, "model.dropout": 0.5, "data.normalize": "per_line"}
    assert found["+b"] == {"training.epochs": 1, "data.normalize": "per_line"}


def test_a_set_is_a_variant_of_its_name_whose_features_are_off_together(compiled: Compile) -> None:
    found = variants(compiled(f"ablation: {{{FEATURES}, sets: {{plain: [a, c], none of them: [a, b, c]}}}}"))
    assert list(found) == ["full", "-a", "-b", "-c", "plain", "none of them"]
    assert found["plain"] == {"training.epochs": 1, "data.normalize": "per_line"}
    assert found["none of them"] == {"training.epochs": 1, "model.dropout": 0.5, "data.normalize": "per_line"}


def test_a_set_is_taken_at_every_point_of_a_product(compiled: Compile) -> None:
    grid = "grid: {training.batch_size: [16, 64]}, combine: product"
    found = variants(compiled(f"ablation: {{{FEATURES}, sets: {{plain: [a, c]}}, {grid}}}"))
    assert [name for name in found if name.startswith("plain")] == ["plain,batch_size=16", "plain,batch_size=64"]
    assert len(found) == 11


def test_order_is_baseline_designs_grid_zip(compiled: Compile) -> None:
    in_step, product = (
        "zip: {training.batch_size: [1, 2], model.dropout: [0.1, 0.2]}",
        "grid: {model.activation: [relu, gelu]}",
    )
    text = f"ablation: {{{in_step}, {product}, {FEATURES}}}"
    assert list(variants(compiled(text))) == [
        "full",
        "-a",
        "-b",
        "-c",
        "activation=relu",
        "activation=gelu",
        "batch_size=1,dropout=0.1",
        "batch_size=2,dropout=0.2",
    ]


def test_a_grid_is_the_product_in_the_order_written(compiled: Compile) -> None:
    found = variants(compiled("ablation: {grid: {model.dropout: [0.1, 0.2], training.epochs: [1, 2]}}"))
    assert list(found)[1:] == [f"dropout={d},epochs={e}" for d in (0.1, 0.2) for e in (1, 2)]


def test_exclude_and_require_leave_out_but_never_the_baseline(compiled: Compile) -> None:
    text = """ablation:
  grid: {training.epochs: [1, 2, 5, 8], model.dropout: [0.0, 0.2]}
  exclude: [{training.epochs: 1, model.dropout: 0.2}, {training.epochs: 2}, {model.kind: mlp, training.epochs: 5}]
  require: ["training.epochs <= 5"]"""
    assert list(variants(compiled(text))) == ["base", "epochs=1,dropout=0"]


def test_exclude_by_the_kind_of_a_component(compiled: Compile) -> None:
    text = "ablation: {grid: {model: [mlp, linear, scanline_vit]}, exclude: [{model: linear}]}"
    assert list(variants(compiled(text))) == ["base", "model=mlp", "model=scanline_vit"]


def test_an_exclude_that_excludes_nothing_is_a_warning(told: Told) -> None:
    assert told("ablation: {grid: {training.epochs: [1, 2]}, exclude: [{training.epochs: 3}]}") == [
        ("no-effect", "{training.epochs: 3}")
    ]


def test_names_are_short_and_unique(compiled: Compile) -> None:
    long = "x" * 100
    text = f"""data:
  source: digits
  augment: [{{kind: horizontal_flip, p: 0.3}}, {{kind: gaussian_noise, std: 0.1, p: 0.1}}]
description: {long}
ablation:
  grid:
    data.augment.0.p: [0.1]
    data.augment.1.p: [0.2]
    model: [{{kind: mlp, dropout: 0.1}}, {{kind: mlp, dropout: 0.2}}]
    training.optimizer.lr: [0.12345678, 0.12345679, 1e-5]
    objective.class_weights: [[{", ".join(["1.0"] * 10)}]]"""
    names = list(variants(compiled(text)))
    assert len(set(names)) == len(names) == 7
    assert names[1].startswith(
        "augment.0.p=0.1,augment.1.p=0.2,model=mlp(dropout=0.1),lr=0.12345678,class_weights=[1.0,"
    )
    assert max(map(len, names)) < 140


def test_a_component_of_the_kind_that_is_written_is_named_by_its_arguments(compiled: Compile) -> None:
    grid = "objective: [{kind: cross_entropy, label_smoothing: 0.1}], model: [{kind: linear}]"
    names = list(variants(compiled(f"model: {{kind: mlp}}\nablation: {{grid: {{{grid}}}}}")))
    assert names == ["base", "objective=cross_entropy(label_smoothing=0.1),model=linear"]


def test_a_point_that_is_written_twice_is_told_at_the_second(told: Told) -> None:
    text = "ablation: {grid: {model.activation: [relu, gelu, relu]}, zip: {model.dropout: [0.1, 0.2, 0.10]}}"
    assert told(text) == [("duplicate-variant", "relu"), ("duplicate-variant", "0.10")]


def test_different_points_whose_names_are_cut_to_the_same_are_numbered(compiled: Compile) -> None:
    wide, wider = ([10] * 20 + [last] for last in (10, 20))
    found = variants(compiled(f"ablation: {{grid: {{model.hidden: [{wide}, {wider}]}}}}"))
    assert list(found)[1:] == [name := f"hidden={str(wide).replace(' ', '')[:37]}...", f"{name}#2"]


def test_components_of_one_kind_are_named_by_their_arguments(compiled: Compile) -> None:
    rates = "[sgd, {kind: adam, lr: 1e-3}, {kind: adam, lr: 1e-2, eps: 1e-8}]"
    found = variants(compiled(f"ablation: {{grid: {{training.optimizer: {rates}}}}}"))
    assert list(found)[1:] == ["optimizer=sgd", "optimizer=adam(lr=1e-3)", "optimizer=adam(lr=0.01,eps=1e-8)"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_named_exactly_and_never_longer_than_python_does(value: float) -> None:
    assert float(number_name(value)) == value
    assert len(number_name(value)) <= len(repr(value))


def test_full_factorial_is_every_combination(compiled: Compile) -> None:
    found = variants(compiled(f"ablation: {{{FEATURES}, design: [full_factorial]}}"))
    assert list(found) == ["full", "-a", "-b", "-c", "-a,-b", "-a,-c", "-b,-c", "bare"]
    assert found["-a,-c"] == {"training.epochs": 1, "data.normalize": "per_line"}
    assert list(variants(compiled("ablation: {features: {a: {training.epochs: 1}}, design: [full_factorial]}"))) == [
        "full",
        "-a",
    ]


def test_designs_that_meet_share_their_variants(compiled: Compile) -> None:
    text = f"ablation: {{{FEATURES}, design: [add_one, full_factorial, leave_one_out]}}"
    plan = compiled(text).plan
    assert plan is not None
    assert [trial.variant for trial in plan.trials] == ["full", "bare", "+a", "+b", "+c", "-a", "-b", "-c"]
    assert {trial.variant: trial.aliases for trial in plan.trials}["+a"] == ("-b,-c",)


def test_one_at_a_time_takes_each_value_of_a_grid_by_itself(compiled: Compile) -> None:
    grid = "grid: {model.dropout: [0.1, 0.2], training.epochs: [1, 2]}"
    assert list(variants(compiled(f"ablation: {{{grid}, design: [one_at_a_time]}}"))) == [
        "base",
        "dropout=0.1",
        "dropout=0.2",
        "epochs=1",
        "epochs=2",
    ]
    both = variants(compiled(f"ablation: {{{grid}, {FEATURES}, design: [one_at_a_time]}}"))
    assert list(both)[:5] == ["full", "-a", "-b", "-c", "dropout=0.1"]


def test_a_product_takes_every_design_at_every_point(compiled: Compile) -> None:
    text = """ablation:
  features: {a: {data.normalize: per_line}}
  grid: {training.epochs: [1, 2]}
  zip: {training.batch_size: [1, 2], model.dropout: [0.1, 0.2]}
  combine: product"""
    found = variants(compiled(text))
    points = [f"epochs={e},batch_size={b},dropout=0.{b}" for e in (1, 2) for b in (1, 2)]
    assert list(found) == ["full", *points, *(f"-a,{point}" for point in points)]
    assert found["-a,epochs=2,batch_size=1,dropout=0.1"] == {
        "data.normalize": "per_line",
        "training.epochs": 2,
        "training.batch_size": 1,
        "model.dropout": 0.1,
    }


@pytest.mark.parametrize("combine", ["union", "product"])
@pytest.mark.parametrize("grid", ["", "grid: {training.batch_size: [1, 2, 3]}"])
@pytest.mark.parametrize("features", ["", FEATURES])
@pytest.mark.parametrize("name", ["leave_one_out", "add_one", "full_factorial", "one_at_a_time"])
def test_variants_are_counted_before_they_are_made(
    compiled: Compile, name: str, features: str, grid: str, combine: str
) -> None:
    text = ", ".join(filter(None, [features, grid, f"design: [{name}]", f"combine: {combine}"]))
    spec = compiled(f"ablation: {{{text}}}").analysis.spec
    assert spec is not None
    made = len(design(spec.ablation, {}).variants)
    # With nothing to cross, a product makes the baseline alone once more.
    assert num_variants(spec.ablation) - made == (1 if combine == "product" and not grid else 0)


def test_short_names_tell_paths_apart() -> None:
    assert short_names({"a.b.c", "x.c", "y.0", "m.n"}) == {"a.b.c": "b.c", "x.c": "x.c", "y.0": "y.0", "m.n": "n"}


def test_the_wider_path_is_set_first_whatever_the_order(compiled: Compile) -> None:
    text = "ablation: {grid: {model.num_layers: [1, 2], model: [{kind: scanline_vit, d_model: 8}]}}"
    found = compiled(text)
    assert found.diagnostics == ()
    assert [v.spec.model.args["num_layers"] for v in found.analysis.variants[1:]] == [1, 2]
    assert [v.spec.model.args["d_model"] for v in found.analysis.variants[1:]] == [8, 8]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a mistaken value is told where the ablation writes it
        ("ablation: {grid: {training.epochs: [1, x, 0]}}", [("wrong-type", "x"), ("out-of-bounds", "0")]),
        ("ablation: {features: {a: {model: {kind: mlp, hidden: wide}}}}", [("wrong-type", "wide")]),
        (
            "ablation: {grid: {model: [{kind: mlp, hiden: [3]}, 5, nothing]}}",
            [("unknown-key", "hiden"), ("wrong-type", "5"), ("unknown-kind", "nothing")],
        ),
        (
            "ablation: {grid: {training.schedule: [[{kind: linear_warmup, epochs: x}, cosine]]}}",
            [("unknown-choice", "x")],
        ),
        # a path that does not exist is told at its key, once
        ("ablation: {grid: {training.epoch: [1, 2, 3]}}", [("unknown-factor", "training.epoch")]),
        (
            "ablation: {grid: {training.early_stoping.patience: [1]}}",
            [("unknown-factor", "training.early_stoping.patience")],
        ),
        ("ablation: {grid: {training.schedule.4.epochs: [1]}}", [("unknown-factor", "training.schedule.4.epochs")]),
        ("ablation: {grid: {'': [1], model..x: [1]}}", [("unknown-factor", "''"), ("unknown-factor", "model..x")]),
        ("ablation: {features: {a: {data.source.path: x}}}", [("unknown-factor", "data.source.path")]),
        ("ablation: {exclude: [{training.epoch: 1}]}", [("unknown-factor", "training.epoch")]),
        # what makes no other experiment
        ("ablation: {grid: {seed: [1, 2]}}", [("unknown-factor", "seed")]),
        ("ablation: {grid: {resources.cpus: [1, 2]}}", [("unknown-factor", "resources.cpus")]),
        ("ablation: {features: {a: {ablation.seeds: 3}}}", [("unknown-factor", "ablation.seeds")]),
        # a rule that a variant breaks, at the setting that breaks it
        ("model: scanline_vit\nablation: {grid: {model.num_heads: [4, 5]}}", [("constraint-broken", "5")]),
        (
            "ablation: {features: {a: {training.batch_size: 1, training.schedule: [{kind: cosine, epochs: 9}]}}}",
            [("schedule-too-long", "9")],
        ),
        (
            "model: {kind: mlp, hidden: [3]}\nablation: {features: {a: {training.epochs: 1, model.kind: linear}}}",
            [("unknown-key", "linear")],
        ),
        (
            "ablation: {features: {a: {training.epochs: 1, training.early_stopping.patience: 3}}}",
            [("missing-key", "3")],
        ),
        (
            "regularization: {dropout: 0.1}\nablation: {grid: {model: [mlp, linear]}}",
            [("regularization-unsupported", "linear")],
        ),
        # what the spec as written has wrong is not told again
        ("model: {kind: mlp, hidden: 3}\nablation: {grid: {training.epochs: [1, 2]}}", [("wrong-type", "3")]),
        (
            "model: {kind: mlp, dropout: 2}\nablation: {grid: {model.dropout: [0.1, 2]}}",
            [("out-of-bounds", "2"), ("out-of-bounds", "2")],
        ),
        # a requirement that a variant does not even have the names for
        (
            "ablation: {grid: {model: [mlp, linear]}, require: ['model.dropout < 1']}",
            [("bad-expression", "model.dropout")],
        ),
    ],
)
def test_a_mistake_in_a_variant_is_told_at_the_ablation(told: Told, text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected


def test_the_variant_is_named_where_its_setting_alone_does_not_explain(messages: Callable[[str], str]) -> None:
    text = "model: scanline_vit\nablation: {grid: {model.d_model: [12, 10], model.num_heads: [2, 3]}}"
    assert (
        'variant "d_model=10,num_heads=3": scanline_vit cannot be built with d_model = 10, num_heads = 3'
        in messages(text)
    )
    assert "variant" not in messages("ablation: {grid: {training.epochs: [x]}}")


def test_a_spec_has_so_many_variants_and_no_more(told: Told, messages: Callable[[str], str]) -> None:
    def grid(lengths: list[int]) -> str:
        return ", ".join(f"model.x{i}: [{', '.join(map(str, range(length)))}]" for i, length in enumerate(lengths))

    assert MAX_VARIANTS == 10_000
    assert "too-many-variants" not in dict(told(f"ablation: {{grid: {{{grid([99, 101])}}}}}"))  # and the baseline
    assert told(f"ablation: {{grid: {{{grid([100, 100])}}}}}") == [("too-many-variants", "ablation")]
    assert "asks for 10,001 variants; at most 10,000" in messages(f"ablation: {{grid: {{{grid([100, 100])}}}}}")
    assert "search, or split the spec" in messages(f"ablation: {{grid: {{{grid([100] * 30)}}}}}")
    features = ", ".join(f"f{i}: {{model.x{i}: 1}}" for i in range(10_000))
    assert "more than 10^19 variants" in messages(f"ablation: {{features: {{{features}}}, design: [full_factorial]}}")


def test_a_spec_has_so_many_trials_and_no_more(told: Told, messages: Callable[[str], str]) -> None:
    assert told("ablation: {seeds: 1000000000}") == [("too-many-trials", "1000000000")]
    assert f"at most {MAX_TRIALS:,}" in messages(f"ablation: {{seeds: {MAX_TRIALS + 1}}}")
    assert told(f"ablation: {{seeds: {MAX_TRIALS // 2}, grid: {{training.epochs: [1, 2]}}}}") == [
        ("too-many-trials", "ablation")
    ]


@pytest.mark.timeout(120)
def test_two_thousand_variants_compile_in_seconds(compiled: Compile) -> None:
    rates = ", ".join(f"{i}e-5" for i in range(1, 201))
    dropouts = ", ".join(f"0.{i}" for i in range(10))
    found = compiled(f"ablation: {{grid: {{training.optimizer.lr: [{rates}], model.dropout: [{dropouts}]}}}}")
    assert found.plan is not None
    assert len(found.plan.trials) + found.plan.folded == 2001


def test_more_than_can_be_checked_is_refused_at_once(told: Told, messages: Callable[[str], str]) -> None:
    many = ", ".join(str(number) for number in range(1, 1001))
    wide = ", ".join(["1"] * 1000)
    text = f"model: {{kind: mlp, hidden: [{wide}]}}\nablation: {{grid: {{training.batch_size: [{many}]}}}}"
    assert "1,001 variants of a spec with 1,0" in messages(text)
    settings = ", ".join(f"model.x{i}: [1]" for i in range(501))
    assert "sets 501 values; at most 500" in messages(f"ablation: {{grid: {{{settings}}}}}")


def test_rules_of_exclude_and_require_are_bounded_by_how_long_they_take(messages: Callable[[str], str]) -> None:
    grid = f"grid: {{training.optimizer.lr: [{', '.join(f'{i}e-5' for i in range(1, 1001))}]}}"
    short = ", ".join(f"training.epochs < {i}" for i in range(10, 210))
    assert "200 rules of exclude and require are too many for 1,001 variants" in messages(
        f"ablation: {{{grid}, require: [{short}]}}"
    )
    long = ", ".join(" and ".join([f"training.epochs < {i}"] * 38) for i in range(10, 19))
    assert "9 rules of exclude and require" in messages(f"ablation: {{{grid}, require: [{long}]}}")
    same_paths = ", ".join(f"{{training.epochs: {i}}}" for i in range(10, 410))  # looked up all at once
    assert "rules of exclude" not in messages(f"ablation: {{{grid}, exclude: [{same_paths}]}}")


@pytest.mark.parametrize("count", [2, 5])
def test_a_requirement_may_name_what_no_variant_sets(compiled: Compile, count: int) -> None:
    text = f"ablation: {{grid: {{training.epochs: {list(range(1, count + 1))}}}, require: ['seed == 0']}}"
    assert len(variants(compiled(text))) == count + 1


def test_one_key_of_splits_that_are_left_to_their_default_can_be_varied(compiled: Compile) -> None:
    found = compiled("ablation: {grid: {data.splits.seed: [0, 1]}}").analysis
    assert [variant.spec.data.splits.seed for variant in found.variants] == [0, 0, 1]
    assert {tuple(variant.spec.data.splits.fractions.items()) for variant in found.variants} == {
        (("train", 0.6), ("valid", 0.2), ("test", 0.2))
    }


def test_a_path_leads_into_a_list_that_is_left_to_its_default(compiled: Compile) -> None:
    found = compiled("ablation: {grid: {training.optimizer.betas.0: [0.8, 0.9]}}").analysis
    assert found.diagnostics == ()
    betas = [list(variant.spec.training.optimizer.args["betas"]) for variant in found.variants]
    assert betas == [[0.9, 0.999], [0.8, 0.999], [0.9, 0.999]]


def test_so_many_mistakes_are_told_and_the_rest_is_noted(compiled: Compile) -> None:
    found = compiled("\n".join(f"k{number}: 1" for number in range(300))).diagnostics
    assert len(found) == 201
    assert (found[-1].code, found[-1].severity) == ("too-many-mistakes", "note")
    assert found[-1].range.start.line == found[-2].range.start.line + 1


def test_values_that_look_alike_have_names_of_their_own() -> None:
    assert value_names([1, "1", 1.0, True, "true", None]) == ["1", '"1"', "1.0", "true", '"true"', "null"]
    assert value_names([1, 2, "adam", 0.5]) == ["1", "2", "adam", "0.5"]
    assert value_names([1, 1]) == ["1", "1"], "the same value twice is the same variant"


def models_of(compiled: Compile, ablation: str) -> list[tuple[str, dict[str, object]]]:
    """Each variant's name and what it trains with: model and optimizer."""
    found = compiled(f"model: {{kind: mlp, hidden: [8]}}\nablation: {ablation}")
    assert found.diagnostics == ()
    assert found.plan is not None
    return [
        (t.variant, {"model": t.config["model"]["kind"], "hidden": t.config["model"].get("hidden")})
        for t in found.plan.trials
    ]


def test_a_component_by_its_name_takes_arguments_in_a_grid(compiled: Compile) -> None:
    found = compiled("ablation: {grid: {training.optimizer: [sgd, adamw], training.optimizer.lr: [0.1, 0.01]}}").plan
    assert found is not None
    configs = [trial.config["training"]["optimizer"] for trial in found.trials]
    assert [(config["kind"], config["lr"]) for config in configs[1:]] == [
        ("sgd", 0.1), ("sgd", 0.01), ("adamw", 0.1), ("adamw", 0.01),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        "exclude: [{model: linear}]",
        "exclude: [{model: {kind: linear}}]",
        "exclude: [{model.kind: linear}]",
        "exclude: [{model: linear, model.hidden: [4]}, {model: linear, model.hidden: [5]}]",
        "require: [\"model.kind != 'linear'\"]",
    ],
)
@pytest.mark.parametrize("models", ["[linear, mlp]", "[{kind: linear}, {kind: mlp}]"])
def test_a_grid_whose_impossible_points_are_left_out_has_the_others(compiled: Compile, models: str, rest: str) -> None:
    found = models_of(compiled, f"{{grid: {{model: {models}, model.hidden: [[4], [5]]}}, {rest}}}")
    assert found[1:] == [
        ("model=mlp,hidden=[4]", {"model": "mlp", "hidden": [4]}),
        ("model=mlp,hidden=[5]", {"model": "mlp", "hidden": [5]}),
    ]


def test_an_impossible_point_that_is_not_left_out_is_told_once_with_its_variant(
    told: Told, messages: Callable[[str], str]
) -> None:
    ablation = "ablation: {grid: {model: [linear, mlp], model.hidden: [[4], [5]]}}"
    assert told(ablation) == [("unknown-factor", "model.hidden")]
    assert 'variant "model=linear,hidden=[4]"' in messages(ablation)
    assert "ablation.exclude: [{model: linear}]" in messages(ablation)


def test_what_is_excluded_hides_no_mistake_of_the_others(told: Told) -> None:
    ablation = "ablation: {grid: {model: [linear, mlp], model.hidden: [[4], [0]]}, exclude: [{model: linear}]}"
    assert told(ablation) == [("out-of-bounds", "0")]


def test_an_excluded_component_is_named_by_the_arguments_that_are_given(compiled: Compile) -> None:
    models = "[{kind: mlp, hidden: [4]}, {kind: mlp, hidden: [5]}]"
    found = models_of(compiled, f"{{grid: {{model: {models}}}, exclude: [{{model: {{kind: mlp, hidden: [5]}}}}]}}")
    assert [each["hidden"] for _, each in found[1:]] == [[4]]


def test_a_name_and_a_mapping_with_that_kind_are_one_value(told: Told, compiled: Compile) -> None:
    assert [code for code, _ in told("ablation: {grid: {model: [linear, {kind: linear}]}}")] == ["duplicate-variant"]
    plan = compiled("ablation: {grid: {training.schedule: [[cosine], [{kind: cosine}]]}}").plan
    assert plan is not None
    assert (len(plan.trials), plan.folded) == (2, 1)


def test_features_by_name_and_by_mapping_agree(told: Told) -> None:
    features = "{a: {model: linear}, b: {model: {kind: linear}, training.epochs: 3}}"
    assert told(f"ablation: {{features: {features}, design: [add_one]}}") == []


@pytest.mark.parametrize(
    ("seed", "seeds", "is_refused"),
    [(2**32 - 3, 3, False), (2**32 - 3, 4, True), (0, 3, False)],
)
def test_seeds_are_counted_up_to_the_largest(told: Told, seed: int, seeds: int, is_refused: bool) -> None:
    found = told(f"seed: {seed}\nablation: {{seeds: {seeds}}}")
    assert found == ([("seeds-out-of-range", str(seeds))] if is_refused else [])


@pytest.mark.parametrize("name", ["store", "Store", "STORE", "slurm", "Submissions", "con", "NUL.x", "com1"])
def test_a_name_that_the_folder_of_runs_or_a_system_has_itself_is_refused(told: Told, name: str) -> None:
    assert told(f"name: {name}") == [("unfit-name", name)]


def test_a_name_ends_with_no_dot(told: Told) -> None:
    assert told("name: a.") == [("wrong-name", "a.")]


@pytest.mark.parametrize("name", ["store2", "stores", "con1", "my-store", "a.b"])
def test_a_name_beside_those_is_one(told: Told, name: str) -> None:
    assert told(f"name: {name}") == []


def test_the_runs_folder_refuses_the_names_that_its_packages_use() -> None:
    """Whoever adds a folder beside experiments adds it to the names that no experiment may have."""
    from craftc.compiler.checking.rules.fields import RUNS_FOLDERS
    from craftc.runtime.cleaning.references import STORE
    from craftc.runtime.submitting.submissions import FOLDER

    assert {STORE, FOLDER, "slurm"} == RUNS_FOLDERS


@pytest.mark.parametrize("name", ['"a\\u202eb"', '"a\\u200b"', '" a"', '""', '"a\\u00a0b"', "x" * 101])
def test_a_feature_has_a_name_that_can_be_seen(told: Told, name: str) -> None:
    assert [code for code, _ in told(f"ablation: {{features: {{{name}: {{training.epochs: 3}}}}}}")] == ["unfit-name"]


@pytest.mark.parametrize("name", ["größe", '"two words"', '"日本"', "x" * 100])
def test_any_characters_that_can_be_seen_name_a_feature(told: Told, name: str) -> None:
    assert told(f"ablation: {{features: {{{name}: {{training.epochs: 3}}}}}}") == []


def test_the_last_epoch_is_another_setting_than_the_default(told: Told, compiled: Compile) -> None:
    ablation = "ablation: {features: {selection: {evaluation.select: none}}}"
    assert told(ablation) == []
    plan = compiled(ablation).plan
    assert plan is not None
    assert [trial.config["evaluation"]["select"] == "none" for trial in plan.trials] == [False, True]
    assert [code for code, _ in told(ablation + "\nevaluation: {select: none}")] == ["no-effect"]


def test_of_two_settings_of_a_feature_the_misspelt_one_is_blamed(told: Told) -> None:
    ablation = "ablation: {features: {a: {training.epochs: 1, training.epoch: 1}}}"
    assert told(ablation) == [("unknown-factor", "training.epoch")]


@pytest.mark.parametrize("hidden", ["[[4], [5]]", "[[8], [4]]"])
def test_an_impossible_point_is_told_once_also_where_it_sets_what_the_spec_has(told: Told, hidden: str) -> None:
    model = "model: {kind: mlp, hidden: [8]}\n"
    assert told(f"{model}ablation: {{grid: {{model: [linear, mlp], model.hidden: {hidden}}}}}") == [
        ("unknown-factor", "model.hidden")
    ]


def test_the_exclude_that_is_proposed_for_features_leaves_each_by_itself(
    compiled: Compile, messages: Callable[[str], str]
) -> None:
    model = "model: {kind: mlp, hidden: [8]}\n"
    features = "features: {m: {model: linear}, h: {model.hidden: [4]}}, design: [full_factorial]"
    rule = "[{model: linear, model.hidden: [4]}]"
    assert f"ablation.exclude: {rule}" in messages(f"{model}ablation: {{{features}}}")
    found = compiled(f"{model}ablation: {{{features}, exclude: {rule}}}")
    assert list(variants(found)) == ["full", "-m", "-h"]


def test_a_set_is_not_called_as_a_feature(told: Told) -> None:
    assert told(f"ablation: {{{FEATURES}, sets: {{a: [b, c]}}}}") == [("unfit-name", "a")]


def test_a_requirement_that_the_spec_does_not_meet_is_told_once(told: Told) -> None:
    rest = "ablation: {grid: {training.batch_size: [32, 64]}, require: ['training.batch_size > 100']}"
    assert [code for code, _ in told(rest)] == ["requirement-unmet"]


def test_an_argument_is_searched_in_one_of_the_places_where_it_can_be_set(told: Told) -> None:
    dropout = "{uniform: [0.0, 0.5]}"
    space = f"{{regularization.dropout: {dropout}, model.dropout: {dropout}}}"
    search = f"search: {{space: {space}, optimize: {{metric: valid/loss}}, trials: 3}}"
    assert told(search) == [("factor-twice", "model.dropout")]
