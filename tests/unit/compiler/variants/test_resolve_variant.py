"""A variant is what its spec would be if it were written out, though only the sections that it sets are validated."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.compiler.analyse import analyse
from craftc.compiler.checking.resolve import resolve
from craftc.compiler.checking.rules.all_rules import TRAINED_RULES
from craftc.compiler.checking.rules.fields import CONSTRAINTS
from craftc.compiler.checking.rules.rule import Checked, check
from craftc.compiler.checking.validate import validate
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import copy_tree, set_path
from craftc.compiler.variants.apply_settings import apply_settings
from craftc.compiler.variants.resolve_variant import resolve_variant, without_ablation
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.diagnostic import parse_path
from craftc.schemas.section import as_tree

BASE: dict[str, Any] = {
    "craftc": 1,
    "name": "variants",
    "data": {"source": {"kind": "digits"}, "splits": {"train": 0.6, "valid": 0.2, "test": 0.2}},
    "model": {"kind": "scanline_vit", "d_model": 32, "num_layers": 2, "num_heads": 4, "d_ffn": 64},
    "objective": {"kind": "cross_entropy", "metrics": ["accuracy", "auroc"]},
    "training": {
        "epochs": 10,
        "batch_size": 32,
        "optimizer": {"kind": "adamw", "lr": 1e-3},
        "schedule": [{"kind": "linear_warmup", "epochs": 3}, {"kind": "reduce_on_plateau", "patience": 3}],
    },
}
STOP = {"metric": "valid/loss", "patience": 3}
VALUES: dict[str, list[Any]] = {
    "model.d_model": [16, 32, 48, 30, 0, "wide"],
    "model.num_heads": [1, 2, 3, 4, 5],
    "model.num_layers": [1, 2, 2.0, True],
    "model.dropout": [0.0, -0.0, 0.1, 0.5, 2],
    "model.kind": ["mlp", "scanline_vit", "unheard_of"],
    "model": ["mlp", {"kind": "mlp", "dropout": 0.3}, {"kind": "scanline_vit", "d_model": 20}, 7],
    "model.unknown": [1, 2],
    "training.epochs": [1, 3, 5, 20],
    "training.batch_size": [8, 16, 10**6],
    "training.optimizer": ["sgd", {"kind": "adam", "lr": 0.1}],
    "training.optimizer.lr": [1e-4, 1e-2, -1, "fast"],
    "training.optimizer.kind": ["sgd", "adam"],
    "training.optimizer.betas": [[0.8, 0.9]],
    "training.optimizer.momentum": [0.5],
    "training.optimizer.weight_decay": [0.0, 0.1],
    "training.schedule": [["constant"], [{"kind": "cosine", "epochs": 5}, "constant"]],
    "training.schedule.0.epochs": [0, 1, 9],
    "training.schedule.1.patience": [1, 50],
    "training.schedule.1.metric": ["valid/loss", "valid/accuracy", "valid/unheard"],
    "training.schedule.5.epochs": [1],
    "training.early_stopping": ["none", STOP, {"metric": "valid/auroc", "patience": 2}],
    "training.early_stopping.patience": [1, 30],
    "regularization.dropout": [0.1, 0.2, 1.5],
    "regularization.weight_decay": [0.0, 0.01],
    "regularization.clip_grad_norm": ["none", 1.0],
    "evaluation.select": ["none", {"metric": "valid/accuracy"}, {"metric": "test/loss"}],
    "evaluation.select.metric": ["valid/auroc"],
    "evaluation.select.mode": ["min", "max"],
    "objective.metrics": [["accuracy"], ["auroc", "accuracy"], ["accuracy", "accuracy"], []],
    "objective.class_weights": ["none", "balanced"],
    "data.splits.valid": [0.2, 0.3],
    "data.splits.test": [0.2, 0.1],
    "data.splits": [{"train": 0.5, "test": 0.5}, {"train": 0.6, "test": 0.2, "valid": 0.2}],
    "data.normalize": ["none", "per_line"],
    "data.augment": [[], [{"kind": "gaussian_noise", "std": 0.1}]],
    "data.source.line_drift": [0.0, 0.5],
    "report.metric": ["valid/loss"],
    "nothing.there": [1],
}
MISTAKES: dict[str, Any] = {
    "model.d_model": 30,
    "model.d_modle": 3,
    "training.optimizer.lr": "fast",
    "training.epochs": 0,
    "data.splits": {"train": 0.5, "valid": 0.2},
    "objective.metrics": ["acuracy"],
    "regularization.dropout": 3,
    "training.early_stopping": {"metric": "valid/loss", "patience": 30},
    "resources.gpus": 1.5,
}
picked = st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True).flatmap(
    lambda paths: st.fixed_dictionaries({path: st.sampled_from(VALUES[path]) for path in paths})
)
mistakes = st.lists(st.sampled_from(sorted(MISTAKES)), max_size=2, unique=True)


def spec_with(changes: dict[str, Any]) -> dict[str, Any]:
    spec = copy_tree(BASE)
    for path, value in changes.items():
        set_path(spec, parse_path(path), copy_tree(value))
    return spec


def written_out(base: Checked, variant: Variant) -> tuple[Checked | None, list[Problem]]:
    """The variant with all of its tree resolved and validated, and asked every rule."""
    written = copy_tree(base.written)
    unsettable = apply_settings(written, variant, base.tree)
    validated = validate(written := resolve(written), base.catalogue)
    if validated.spec is None:
        return None, [*unsettable, *validated.problems]
    checked = Checked(validated.spec, as_tree(validated.spec), written, base.catalogue)
    broken = check(checked, (*TRAINED_RULES, *CONSTRAINTS.values()))
    stand = [
        p for p in broken if not any(_touch(place, bad) for place in (p.path, *p.reads) for bad in validated.tainted)
    ]
    return checked, [*unsettable, *validated.problems, *stand]


def _touch(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one


@settings(max_examples=200)
@given(values=picked, wrong=mistakes)
def test_a_variant_is_the_spec_that_has_its_settings_written_out(values: dict[str, Any], wrong: list[str]) -> None:
    spec = spec_with({path: MISTAKES[path] for path in wrong})
    written = resolve(spec)
    validated = validate(written, built_in_catalogue())
    assert validated.spec is not None
    base = without_ablation(Checked(validated.spec, as_tree(validated.spec), written, built_in_catalogue()))
    variant = Variant("v", tuple(Setting(path, value, ("ablation", "grid", path, 0)) for path, value in values.items()))
    checked, problems = resolve_variant(base, variant, TRAINED_RULES, validated.tainted)
    expected, all_problems = written_out(base, variant)
    assert (checked is None) == (expected is None)
    if checked is not None and expected is not None:
        assert checked.spec == expected.spec
        assert checked.tree == expected.tree
    # What the spec as written has wrong where the variant sets nothing is not found again.
    known = {(p.code, p.path, p.message) for p in [*validated.problems, *written_out(base, Variant("base", ()))[1]]}
    told = {(p.code, p.path, p.message) for p in problems}
    assert told <= {(p.code, p.path, p.message) for p in all_problems}
    assert {(p.code, p.path, p.message) for p in all_problems} - told <= known


@settings(max_examples=60)
@given(values=picked)
def test_a_variant_is_the_trial_of_a_spec_that_says_the_same(values: dict[str, Any]) -> None:
    ablation = {"grid": {path: [value] for path, value in values.items()}}
    plan = compile_spec(json.dumps(BASE | {"ablation": ablation}), "x.yaml", built_in_catalogue()).plan
    for trial in plan.trials if plan else ():
        spec = copy_tree(BASE)
        for path, value in sorted(trial.overrides.items(), key=lambda item: item[0].count(".")):
            set_path(spec, parse_path(path), as_component(parse_path(path), copy_tree(value)))
        alone = compile_spec(json.dumps(spec), "x.yaml", built_in_catalogue()).plan
        assert alone is not None
        assert (alone.trials[0].id, alone.trials[0].stages) == (trial.id, trial.stages)
        assert alone.trials[0].config == trial.config


def test_what_fits_alone_and_not_together_is_reported(told: Callable[[str], list[tuple[str, str]]]) -> None:
    grid = "training.optimizer.kind: [adamw, sgd], training.optimizer.betas: [[0.8, 0.9], [0.7, 0.9]]"
    assert told(f"ablation: {{grid: {{{grid}}}}}") == [("unknown-factor", "training.optimizer.betas")]


def test_variants_share_the_sections_that_they_do_not_set() -> None:
    spec = BASE | {"ablation": {"grid": {"training.epochs": [4, 5], "model.num_layers": [1, 2]}}}
    variants = analyse(json.dumps(spec), "x.yaml", built_in_catalogue()).variants
    shared = {name: len({id(getattr(variant.spec, name)) for variant in variants}) for name in ("data", "objective")}
    assert shared == {"data": 1, "objective": 1}
