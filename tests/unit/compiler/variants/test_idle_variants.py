"""What an ablation sets and the spec is already, or another variant is, with every default filled in."""

import pytest

OFF = "switching it off changes nothing"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ablation: {features: {warmup: {training.schedule: [constant]}}}", ("no-effect", "warmup", OFF)),
        ("ablation: {features: {warmup: {training.schedule: [{kind: constant, epochs: none}]}}}",
         ("no-effect", "warmup", OFF)),
        ("ablation: {features: {decay: {training.optimizer: {kind: adamw, weight_decay: 0.01}}}}",
         ("no-effect", "decay", OFF)),
        ("ablation: {features: {decay: {training.optimizer.weight_decay: 0.01}}}", ("no-effect", "decay", OFF)),
        ("ablation: {features: {small: {model.hidden: [128], training.early_stopping: none}}, design: [add_one]}",
         ("no-effect", "small", OFF)),
        ("ablation: {features: {a: {model: {kind: mlp, hidden: [8]}}, b: {model: {kind: mlp, hidden: [8], "
         "dropout: 0}}}}",
         ("no-effect", "b", '"b" is switched off by what switches "a" off')),
        ("ablation: {grid: {training.batch_size: [32]}}",
         ("no-effect", "32", "the only value of the axis is that of the spec as written, 32")),
        ("ablation: {grid: {training.optimizer: [adamw]}}",
         ("no-effect", "adamw", 'the only value of the axis is that of the spec as written, "adamw"')),
        ("ablation: {grid: {training.optimizer: [sgd, {kind: sgd, lr: 0.01}]}}",
         ("duplicate-variant", "{kind: sgd, lr: 0.01}", 'is "optimizer=sgd": with every default, both set the same')),
        ("ablation: {grid: {training.optimizer: [sgd, {kind: sgd, lr: 0.01}], training.batch_size: [16, 64]}}",
         ("duplicate-variant", "{kind: sgd, lr: 0.01}", "with every default, both set the same")),
        ("ablation: {features: {a: {model.hidden: [8]}, b: {model.dropout: 0.1}}, sets: {p: [a, b], q: [b, a]}}",
         ("duplicate-variant", "q", 'the variant "q" is "p": with every default, both set the same')),
    ],
)  # fmt: skip
def test_one_warning_where_it_is_written(compiled, told, text: str, found: tuple[str, str, str]) -> None:
    code, at, said = found
    assert told(text) == [(code, at)]
    [diagnostic] = compiled(text).diagnostics
    assert diagnostic.severity == "warning"
    assert said in diagnostic.message


@pytest.mark.parametrize(
    "text",
    [
        "ablation: {features: {warmup: {training.schedule: [cosine]}}}",
        "ablation: {grid: {training.batch_size: [32, 64]}}",
        "ablation: {grid: {training.batch_size: [32, 64], training.optimizer: [adamw, sgd]}}",
        "ablation: {zip: {training.batch_size: [16, 64], training.epochs: [5, 5]}}",
        "ablation: {features: {a: {model.hidden: [8]}, b: {model.dropout: 0.1}}, "
        "design: [add_one, leave_one_out, full_factorial]}",
    ],
)
def test_what_changes_something_is_not_told(told, text: str) -> None:
    assert told(text) == []
