"""Variants put together from parts are those that are made one by one: same trials, same diagnostics."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import Compiled, compile_spec
from craftc.compiler.reading.tree import set_path
from craftc.compiler.variants import expand
from craftc.schemas.diagnostic import parse_path

BASE: dict[str, Any] = {
    "craftc": 1,
    "name": "parts",
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
AXES: dict[str, list[Any]] = {
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

axes = st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=4, unique=True).flatmap(
    lambda paths: st.fixed_dictionaries(
        {path: st.lists(st.sampled_from(AXES[path]), min_size=1, max_size=4) for path in paths}
    )
)
one_of_each = st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=3, unique=True).flatmap(
    lambda paths: st.fixed_dictionaries({path: st.sampled_from(AXES[path]) for path in paths})
)
rules = st.lists(
    st.sampled_from(
        [
            "model.d_model % model.num_heads == 0",
            "training.epochs > 3 or training.batch_size < 32",
            "model.num_heads < 4",
        ]
    ),
    max_size=2,
)
ablations = st.fixed_dictionaries(
    {},
    optional={
        "grid": axes,
        "features": st.dictionaries(st.sampled_from(["a", "b", "c"]), one_of_each, min_size=1),
        "design": st.just(["leave_one_out", "add_one", "full_factorial"]),
        "combine": st.sampled_from(["union", "product"]),
        "exclude": st.lists(one_of_each, max_size=2),
        "require": rules,
        "seeds": st.sampled_from([1, 2, [3, 5]]),
    },
)
bases = st.fixed_dictionaries(
    {},
    optional={
        "regularization": st.sampled_from([{"dropout": 0.2}, {"weight_decay": 0.1, "clip_grad_norm": 2.0}]),
        "evaluation": st.just({"select": {"metric": "valid/accuracy"}}),
        "report": st.just({"metric": "test/auroc"}),
    },
)


def compiled(ablation: dict[str, Any], changes: dict[str, Any], *, from_parts: bool) -> Compiled:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expand, "FEW", 0 if from_parts else 10**9)
        return compile_spec(json.dumps(BASE | changes | {"ablation": ablation}), "x.yaml", built_in_catalogue())


@settings(max_examples=150)
@given(ablation=ablations, changes=bases)
# Only the last variant, which has to be made by itself, lacks what the requirement reads.
@example(
    ablation={
        "require": ["model.d_model % model.num_heads == 0"],
        "features": {"a": {"data.augment": []}, "b": {"data.augment": []}, "c": {"model.kind": "mlp"}},
    },
    changes={},
)
def test_variants_from_parts_are_those_made_one_by_one(ablation: dict[str, Any], changes: dict[str, Any]) -> None:
    quick = compiled(ablation, changes, from_parts=True)
    slow = compiled(ablation, changes, from_parts=False)
    assert quick.diagnostics == slow.diagnostics
    assert quick.plan == slow.plan
    assert [v.name for v in quick.analysis.variants] == [v.name for v in slow.analysis.variants]
    for one, other in zip(quick.analysis.variants, slow.analysis.variants, strict=True):
        assert one.spec == other.spec


@settings(max_examples=30)
@given(grid=axes)
def test_a_variant_is_the_trial_of_a_spec_that_says_the_same(grid: dict[str, Any]) -> None:
    plan = compiled({"grid": grid}, {}, from_parts=True).plan
    for trial in plan.trials[:20] if plan else ():
        spec = json.loads(json.dumps(BASE))
        for path, value in sorted(trial.overrides.items(), key=lambda item: item[0].count(".")):
            for field in ("model", "training.optimizer"):
                section = spec["model"] if field == "model" else spec["training"]["optimizer"]
                if path.startswith(f"{field}.") and isinstance(section, str):
                    set_path(spec, parse_path(field), {"kind": section})
            set_path(spec, parse_path(path), value)
        alone = compile_spec(json.dumps(spec), "x.yaml", built_in_catalogue()).plan
        assert alone is not None
        assert (alone.trials[0].id, alone.trials[0].stages) == (trial.id, trial.stages)
        assert alone.trials[0].config == trial.config


def test_what_fits_alone_and_not_together_is_told() -> None:
    grid = {"training.optimizer.kind": ["adamw", "sgd"], "training.optimizer.betas": [[0.8, 0.9], [0.7, 0.9]]}
    told = compiled({"grid": grid}, {}, from_parts=True).diagnostics
    assert [(d.code, d.path) for d in told] == [("unknown-factor", 'ablation.grid["training.optimizer.betas"]')]


def test_thousands_of_variants_are_put_together_of_few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    num_built = 0
    revise = expand.revise

    def counted(*arguments: Any) -> Any:
        nonlocal num_built
        num_built += 1
        return revise(*arguments)

    monkeypatch.setattr(expand, "revise", counted)
    grid = {
        "model.d_ffn": list(range(8, 28)),
        "training.optimizer.lr": [1e-5 * n for n in range(1, 21)],
        "regularization.dropout": [0.01 * n for n in range(1, 21)],
    }
    found = compiled({"grid": grid}, {}, from_parts=True)
    assert len(found.analysis.variants) == 8001
    assert num_built == 60


def test_variants_share_the_sections_in_which_they_do_not_differ() -> None:
    plan = compiled({"grid": {"training.epochs": [4, 5, 6], "model.num_layers": [1, 2, 3]}}, {}, from_parts=True).plan
    assert plan is not None
    sections = {name: {id(trial.config[name]) for trial in plan.trials} for name in plan.trials[0].config}
    assert {name: len(ids) for name, ids in sections.items()} == {
        "data": 1, "model": 4, "objective": 1, "regularization": 1, "training": 4, "evaluation": 1,
    }  # fmt: skip
