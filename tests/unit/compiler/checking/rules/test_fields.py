"""The rules between fields: what breaks each, what just keeps it, and where the mistake is told."""

from collections.abc import Callable

import pytest

Told = Callable[[str], list[tuple[str, str]]]
TRAINING = "training: {epochs: 5, batch_size: 32, optimizer: adamw, "
PLATEAU = "schedule: [{kind: reduce_on_plateau, patience: 2, "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: {source: digits, splits: {train: 0.5, test: 0.4}}", [("splits-sum", "{train: 0.5, test: 0.4}")]),
        ("data: {source: digits, splits: {train: 0.7, dev.a: 0.3}}", [("wrong-name", "dev.a")]),
        ("model: linear\nregularization: {dropout: 0.0}", [("regularization-unsupported", "dropout")]),
        ("model: {kind: mlp, dropout: 0.1}\nregularization: {dropout: 0.1}", [("set-twice", "dropout")]),
        (
            "training: {epochs: 5, batch_size: 32, optimizer: {kind: adamw, weight_decay: 0.1}}\n"
            "regularization: {weight_decay: 0.1}",
            [("set-twice", "weight_decay")],
        ),
        ("model: {kind: scanline_vit, num_heads: 7}", [("constraint-broken", "7")]),
        (
            "training: {epochs: 5, batch_size: 32, optimizer: {kind: sgd, nesterov: true}}",
            [("constraint-broken", "true")],
        ),
        (TRAINING + "early_stopping: {metric: valid/auroc, patience: 2}}", [("unknown-metric", "valid/auroc")]),
        ("report: {metric: accuracy}", [("unknown-metric", "accuracy")]),
        (
            "objective: {kind: cross_entropy, metrics: [auroc]}\nablation: {grid: {objective: [cross_entropy]}}",
            [("unknown-metric", "cross_entropy")],
        ),
        (
            TRAINING + PLATEAU + "metric: dev/loss}]}",
            [("unknown-metric", "dev/loss")],
        ),
        (
            "data: {source: digits, splits: {train: 0.5, test: 0.5}}\n" + TRAINING + "schedule: [reduce_on_plateau]}",
            [("no-effect", "reduce_on_plateau"), ("unknown-metric", "reduce_on_plateau")],
        ),
        ("evaluation: {select: {metric: test/loss}}", [("held-out-used", "test/loss")]),
        ("report: {metric: train/objective}", [("unknown-metric", "train/objective")]),
        (TRAINING + "early_stopping: {metric: test/loss, patience: 2}}", [("held-out-used", "test/loss")]),
        (TRAINING + "early_stopping: {metric: valid/loss, mode: max, patience: 2}}", [("wrong-mode", "max")]),
        (
            TRAINING + "schedule: [{kind: reduce_on_plateau, patience: 2, metric: valid/accuracy, mode: min}]}",
            [("wrong-mode", "min")],
        ),
        ("objective: {kind: cross_entropy, metrics: [auroc, accuracy, auroc]}", [("duplicate-metric", "auroc")]),
        (TRAINING + "schedule: [constant, cosine]}", [("schedule-open-phase", "constant")]),
        (
            TRAINING + "schedule: [{kind: linear_warmup, epochs: 3}, {kind: cosine, epochs: 3}]}",
            [("schedule-too-long", "3")],
        ),
        (TRAINING + "early_stopping: {metric: valid/loss, patience: 5}}", [("no-effect", "5")]),
        (TRAINING + "early_stopping: {metric: valid/loss, patience: 4}}", [("no-effect", "4")]),
        ("resources: {gpus: 1.5}", [("fractional-gpus", "1.5")]),
        ("ablation: {design: [add_one]}", [("no-effect", "design")]),
        (
            "ablation: {zip: {training.epochs: [1, 2], model.dropout: [0.1]}}",
            [("zip-length", "{training.epochs: [1, 2], model.dropout: [0.1]}")],
        ),
        (
            "ablation: {grid: {seed: [1]}, zip: {seed: [1]}}",
            [("unknown-factor", "seed"), ("unknown-factor", "seed"), ("factor-twice", "seed")],
        ),
        (
            "ablation: {design: [add_one], "
            "features: {a: {training.epochs: 1}, b: {training.epochs: 2}, c: {training.epochs: 1}}}",
            [("feature-conflict", "2"), ("no-effect", "c")],
        ),
        ("ablation: {seeds: [3, 1, 3]}", [("duplicate-seed", "3")]),
        (
            "ablation: {require: ['training.epochs >', 'seed == 1', 'nothing']}",
            [
                ("bad-expression", ">"),
                ("requirement-unmet", "'seed == 1'"),
                ("bad-expression", "nothing"),
            ],
        ),
    ],
)
def test_what_breaks_a_rule(told: Told, text: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(told(text)) == sorted(expected)


@pytest.mark.parametrize(
    "text",
    [
        "data: {source: digits, splits: {train: 0.7, a: 0.1, b: 0.1, c_2: 0.1}}\nreport: {metric: c_2/loss}",
        "regularization: {dropout: 0.1, weight_decay: 0.1, label_smoothing: 0.1}",
        "model: {kind: scanline_vit, num_heads: 8}",
        "training: {epochs: 5, batch_size: 32, optimizer: {kind: sgd, nesterov: true, momentum: 0.9}}",
        TRAINING + "early_stopping: {metric: valid/accuracy, mode: max, patience: 3}}",
        TRAINING + "schedule: [{kind: linear_warmup, epochs: 2}, {kind: cosine, epochs: 3}]}",
        TRAINING + PLATEAU.replace("[", "[{kind: linear_warmup, epochs: 0}, ") + "metric: train/objective}]}",
        "resources: {gpus: 0.5}",
        "resources: {gpus: 4}",
        "data: {source: digits, splits: {train: 0.5, test: 0.5}}",
        "evaluation: {select: none}",
        "report: {metric: test/loss}",
        "ablation: {features: {a: {training.epochs: 1}, b: {training.epochs: 2}}}",
        "ablation: {require: ['seed == 0', 'training.early_stopping == \"none\"', 'data.splits.train > 0.5']}",
        "objective: {kind: cross_entropy, metrics: []}",
    ],
)
def test_what_keeps_the_rules(told: Told, text: str) -> None:
    assert told(text) == []
