"""Keys and values that do not fit: each is told once, at its place, and mending invents and hides nothing."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craftc.compiler.checking.resolve import resolve
from craftc.compiler.checking.validate import validate
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import compile_spec
from craftc.compiler.render.text import render_text
from craftc.schemas.section import as_tree

Told = Callable[[str], list[tuple[str, str]]]
TRAINING = "training: {epochs: 5, batch_size: 32, optimizer: adamw, "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # sections of the wrong shape
        ("data: [digits]", [("wrong-type", "[digits]")]),
        ("data: digits", [("wrong-type", "digits")]),
        ("model: [mlp]", [("wrong-type", "[mlp]")]),
        ("training: 5", [("wrong-type", "5")]),
        ("ablation: [grid]", [("wrong-type", "[grid]")]),
        ("ablation: {grid: [model.hidden]}", [("wrong-type", "[model.hidden]")]),
        ("ablation: {grid: {model.hidden: 5}}", [("wrong-type", "5")]),
        ("ablation: {features: {a: none}}", [("wrong-type", "none")]),
        ("report: none", [("wrong-type", "none")]),
        ("objective: {kind: cross_entropy, metrics: accuracy}", [("wrong-type", "accuracy")]),
        (TRAINING + "early_stopping: yes}", [("wrong-type", "yes")]),
        ("data: {source: digits, splits: 0.6}", [("wrong-type", "0.6")]),
        # empty values
        (
            "training: {epochs: , batch_size: , optimizer: }",
            [("empty-value", k) for k in ("epochs", "batch_size", "optimizer")],
        ),
        ("report:", [("empty-value", "report")]),
        ("report: {trackers: [{kind: wandb, project: }]}", [("wrong-type", "project")]),
        (TRAINING + "early_stopping: }", [("empty-value", "early_stopping")]),
        # missing keys
        ("model: {hidden: [3]}", [("missing-key", "model")]),
        ("data: {source: csv}", [("missing-key", "csv")] * 2),
        (TRAINING + "early_stopping: {patience: 3}}", [("missing-key", "early_stopping")]),
        # unknown keys; what was meant is not missing as well
        ("modle: {kind: mlp}", [("unknown-key", "modle")]),
        ("model: {kind: mlp, hiden: [3], zzz: 1}", [("unknown-key", "hiden"), ("unknown-key", "zzz")]),
        (TRAINING + "early_stopping: {metric: valid/loss, patienc: 2}}", [("unknown-key", "patienc")]),
        (
            "objective: {kind: cross_entropy, metric: [auroc]}\nreport: {metric: test/auroc}",
            [("unknown-key", "metric")],
        ),
        # kinds
        ("model: {kind: mpl, hidden: 3}", [("unknown-kind", "mpl")]),
        ("model: {kind: 5}", [("wrong-type", "5")]),
        (
            "data: {source: digits, augment: [{kind: foo}, 7, {p: 1}]}",
            [("unknown-kind", "foo"), ("wrong-type", "7"), ("missing-key", "")],
        ),
        # values
        ("craftc: '1'", [("unknown-choice", "'1'")]),
        ("name: a/b", [("wrong-name", "a/b")]),
        ("name: 5", [("wrong-type", "5")]),
        ("seed: -1", [("out-of-bounds", "-1")]),
        ("seed: true", [("wrong-type", "true")]),
        ("model: {kind: mlp, activation: rellu, dropout: 1}", [("unknown-choice", "rellu"), ("out-of-bounds", "1")]),
        ("regularization: {clip_grad_norm: 0, ema_decay: off}", [("out-of-bounds", "0"), ("wrong-type", "off")]),
        ("data: {source: digits, splits: {train: 0.6, a/b: 0.4}}", [("wrong-name", "a/b")]),
        # lists: one mistake for an item, none for the list that holds it, and no index moves
        ("ablation: {seeds: [-1, 2, -3]}", [("out-of-bounds", "-1"), ("out-of-bounds", "-3")]),
        ("ablation: {seeds: [a, b]}", [("wrong-type", "a"), ("wrong-type", "b")]),
        ("ablation: {seeds: [3, -1, 2, 2]}", [("out-of-bounds", "-1")]),
        ("ablation: {design: [x, leave_one_out, y]}", [("unknown-choice", "x"), ("unknown-choice", "y")]),
        (TRAINING + "schedule: [5]}", [("wrong-type", "5")]),
        (TRAINING + "schedule: []}", [("out-of-bounds", "[]")]),
        ("ablation: {features: {a: {}}}", [("out-of-bounds", "{}")]),
    ],
)
def test_each_mistake_at_its_place(told: Told, text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        (TRAINING + "lr: 3}", 'it belongs under "training.optimizer"'),
        (TRAINING + "patience: 3}", 'it belongs under "training.early_stopping"'),
        ("model: {kind: mlp, weight_decay: 0.1}", 'it belongs under "regularization"'),
        ("regularization: {craftc: 1}", "it belongs at the top level"),
        ("data: {source: digits, splits: {tran: 0.6, test: 0.4}}", 'is "tran" meant to be it?'),
        ("data: {source: digits, splits: {train: 0.6, test: 0.4, stratfy: true}}", 'did you mean "stratify"?'),
        ("data: {source: digits, augment: [{knd: gaussian_noise}]}", 'is "knd" meant to be it?'),
        ("data: {source: digits, augment: {kind: horizontal_flip}}", "begin it with a dash"),
        ("objective: {metrics: [accuracy]}", "known are cross_entropy"),
        ("training: {epochs: 5, optimizer: adamw}", "expected a whole number >= 1: samples per step"),
        ("craftc: '1'", "a number stands without quotes"),
        ("ablation: {seeds: '3'}", "a number stands without quotes"),
        ("regularization: {clip_grad_norm: }", "write none to switch it off"),
        ("resources: ", "give it a value, or remove it"),
        ("seed: 99999999999", "< 4294967296"),
        ("report: {trackers: true}", "each the name of a component"),
        ("ablation: {features: {a: {}}}", "is an empty mapping; expected a mapping with at least one key"),
    ],
)
def test_the_mend(messages: Callable[[str], str], text: str, mend: str) -> None:
    assert mend in messages(text)


def test_a_rule_that_reads_a_mistaken_value_is_silent_and_the_others_speak(told: Told) -> None:
    text = """model: {kind: scanline_vit, d_model: wide, num_heads: 5, droput: 1}
data: {source: digits, splits: {train: 0.9, test: 0.9}}
regularization: {label_smoothing: 0.1, dropout: 0.1}
objective: {kind: cross_entropy, label_smoothing: 0.2, metrics: [accuracy, acc, accuracy]}"""
    codes = sorted(code for code, _ in told(text))
    assert codes == ["duplicate-metric", "set-twice", "splits-sum", "unknown-key", "unknown-kind", "wrong-type"]


def test_a_number_that_could_not_be_read_is_told_once(told: Told) -> None:
    assert told("training: {epochs: 1e999, batch_size: .nan, optimizer: adamw}") == [
        ("number-out-of-range", "1e999"),
        ("number-out-of-range", ".nan"),
    ]


VALID: dict[str, Any] = {
    "craftc": 1,
    "name": "n",
    "seed": 1,
    "data": {
        "source": {"kind": "digits", "imbalance": 2.0},
        "splits": {"train": 0.5, "valid": 0.2, "test": 0.3},
        "normalize": "per_line",
        "augment": [{"kind": "gaussian_noise", "std": 0.1}, "horizontal_flip"],
    },
    "model": {"kind": "scanline_vit", "d_model": 32, "num_heads": 4},
    "objective": {"kind": "cross_entropy", "class_weights": [1.0] * 10, "metrics": ["accuracy", "auroc"]},
    "regularization": {"dropout": 0.1, "clip_grad_norm": 1.0},
    "training": {
        "epochs": 9,
        "batch_size": 8,
        "optimizer": {"kind": "adamw", "lr": 0.1},
        "schedule": [{"kind": "linear_warmup", "epochs": 1}, "cosine"],
        "early_stopping": {"metric": "valid/loss", "patience": 3},
    },
    "evaluation": {"select": {"metric": "valid/accuracy", "mode": "max"}},
    "ablation": {
        "seeds": [1, 2],
        "features": {"a": {"data.normalize": "none"}},
        "grid": {"model.d_model": [32, 64]},
        "exclude": [{"model.d_model": 64}],
        "require": ["model.d_model > 1"],
    },
    "resources": {"cpus": 1},
    "report": {"metric": "test/accuracy", "trackers": [{"kind": "wandb", "project": "p"}]},
}


def paths(tree: Any, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*prefix, key)
        yield from paths(value, (*prefix, key))


GARBAGE = [
    None,
    True,
    0,
    -1,
    1.5,
    "x",
    "",
    [],
    {},
    [None],
    [{}],
    {"a": None},
    {"kind": None},
    {"kind": 5},
    {"kind": "mlp"},
    ["mlp"],
    {"0": 1},
    [{"kind": "zzz", "mode": "max", "metric": 5}],
    "none",
    "test/accuracy",
    {"": {}},
    2**62,
    "漢字",
    [-1, 2, -3],
    {"a.b": 1},
    {"model": None},
    {"model.d_model": [0]},
    {"x": {"": 1}},
    {"x": {"..": 1}},
    ["1 +"],
    ["training.schedule * 9"],
    "infer",
    1e300,
    {"<<": 1},
    [[1], [2]],
]


@given(st.data())
@settings(max_examples=250)
def test_no_mutated_spec_makes_an_exception_and_none_is_silent(data: st.DataObject) -> None:
    tree = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(paths(tree)) or [("craftc",)]))
        parent: Any = tree
        for part in path[:-1]:
            parent = parent[part]
        match data.draw(st.integers(0, 3)):
            case 0:
                del parent[path[-1]]
            case 1 if isinstance(parent, dict):
                name = data.draw(st.sampled_from(["kind", "epochs", "metric", "grid", "model", "zz"]))
                parent[name] = copy.deepcopy(data.draw(st.sampled_from(GARBAGE)))
            case _:
                parent[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(GARBAGE)))
        if not tree:
            break
    text = json.dumps(tree, ensure_ascii=False, indent=1)
    compiled = compile_spec(text, "x.yaml", built_in_catalogue())
    assert (compiled.plan is not None) or any(d.severity == "error" for d in compiled.diagnostics)
    assert render_text(compiled.diagnostics, {"x.yaml": text}).encode() or compiled.plan is not None


PLANTS: list[tuple[tuple[str | int, ...], Any]] = [
    (path, value)
    for path in paths(VALID)
    for value in ([[5.5]], {"qq": [5.5]}, None)
    if not (path[0] == "ablation" and len(path) > 2 and path[1] != "seeds")
]


@pytest.mark.parametrize(("path", "value"), PLANTS, ids=lambda value: json.dumps(value))
def test_a_planted_mistake_is_told_at_its_line_and_nowhere_else(path: tuple[str | int, ...], value: Any) -> None:
    """Every value of a valid spec in turn is replaced by one that fits nowhere; each stands on lines of its own."""
    tree = copy.deepcopy(VALID)
    parent: Any = tree
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    text = json.dumps(tree, indent=1)
    marker: Any = copy.deepcopy(tree)
    at: Any = marker
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = "<HERE>"
    before, _, _ = json.dumps(marker, indent=1).partition('"<HERE>"')
    first_line = before.count("\n") + 1
    last_line = first_line + json.dumps(value, indent=1).count("\n")
    found = compile_spec(text, "x.yaml", built_in_catalogue()).diagnostics
    assert found
    owners = {
        ("ablation", "features"),
        ("ablation", "grid"),
        ("ablation", "exclude"),
        ("ablation", "require"),
        ("report", "metric"),
    }
    for diagnostic in found:
        where = diagnostic.range.start.line
        dependent = any(diagnostic.path.startswith(".".join(map(str, owner))) for owner in owners)
        assert first_line <= where <= last_line or dependent, diagnostic


def test_the_tree_of_a_validated_spec_has_every_default() -> None:
    written = resolve({key: value for key, value in VALID.items() if key != "ablation"})
    validated = validate(written, built_in_catalogue())
    assert validated.problems == []
    assert validated.spec is not None
    tree = as_tree(validated.spec)
    assert tree["training"]["early_stopping"]["min_delta"] == 0.0
    assert tree["model"]["num_layers"] == 4
    assert tree["data"]["splits"]["stratify"] is True
    assert "model" in tree
    assert "num_layers" not in VALID["model"]
