"""Numbers that make no sense beside each other, and the mends that their warnings name."""

import pytest

TRAINING = "training: {epochs: 8, batch_size: 32, optimizer: {kind: sgd, lr: 0.1}, "
OPTIMIZER = "training: {{epochs: 8, batch_size: 32, optimizer: {{kind: {}}}}}"
METRICS = "objective: {kind: cross_entropy, metrics: [accuracy]}\n"
SEARCH = "search: {space: {model.dropout: {uniform: [0, 0.5]}}, optimize: {metric: valid/loss}, trials: 6, "


@pytest.mark.parametrize(
    ("text", "code", "at", "said"),
    [
        (TRAINING + "schedule: [{kind: linear_warmup, epochs: 1, start_lr: 0.2}, cosine]}", "values-disagree", "0.2",
         "start_lr 0.2 of linear_warmup is above the optimizer's lr, 0.1: the rate goes the other way; write start_lr"),
        (TRAINING + "schedule: [{kind: cosine, end_lr: 0.5}]}", "values-disagree", "0.5",
         "end_lr 0.5 of cosine is above the optimizer's lr, 0.1"),
        (TRAINING + "schedule: [{kind: cosine, end_lr: 0.1}]}", "no-effect", "0.1",
         "end_lr of cosine is the optimizer's lr, 0.1: the rate stays where it is"),
        (TRAINING + "schedule: [reduce_on_plateau]}", "no-effect", "reduce_on_plateau",
         "a patience of 10 never runs out in a phase of 8 epochs, so the rate never falls; write patience: 6 or less"),
        (METRICS + TRAINING + "early_stopping: {metric: valid/accuracy, patience: 2, min_delta: 1}}", "values-disagree",
         "1", "no epoch can improve on the first by more than 1 in valid/accuracy, which lies between 0 and 1"),
        (SEARCH + "sampler: {kind: tpe, startup_trials: 6}}", "no-effect", "6",
         "tpe proposes at random for 6 points, and there are 6"),
        (OPTIMIZER.format("adam, betas: [0.999, 0.9]"), "values-disagree", "[0.999, 0.9]",
         "betas are 0.999 for the mean of gradients and 0.9 for that of their squares, which is to look back further; "
         "write betas: [0.9, 0.999]"),
        (OPTIMIZER.format("adamw, lr: 2.0, weight_decay: 0.5"), "values-disagree", "0.5",
         "weight_decay 0.5 times lr 2 is 1: decay alone would leave nothing of a weight after one step, or turn its "
         "sign; write weight_decay well below 0.5"),
        (OPTIMIZER.format("sgd, lr: 2.0") + "\nregularization: {weight_decay: 0.6}", "values-disagree", "0.6",
         "weight_decay 0.6 times lr 2 is 1.2"),
        ("regularization: {ema_decay: 0.999}\n" + TRAINING.rstrip(", ") + "}", "values-disagree", "0.999",
         "ema_decay 0.999 looks back over 1,000 steps, and there are about 272: 76% of it are the weights of the first "
         "step; write ema_decay: 0.96 or less"),
    ],
)  # fmt: skip
def test_they_are_warned_of(compiled, told, messages, text: str, code: str, at: str, said: str) -> None:
    assert told(text) == [(code, at)]
    assert compiled(text).diagnostics[0].severity == "warning"
    assert said in messages(text)


@pytest.mark.parametrize(
    "text",
    [
        TRAINING + "schedule: [{kind: linear_warmup, epochs: 1, start_lr: 0.01}, {kind: cosine, end_lr: 0.01}]}",
        TRAINING + "schedule: [{kind: reduce_on_plateau, patience: 6}]}",
        METRICS + TRAINING + "early_stopping: {metric: valid/accuracy, patience: 2, min_delta: 0.001}}",
        TRAINING + "early_stopping: {metric: valid/loss, patience: 2, min_delta: 1}}",
        SEARCH + "sampler: {kind: tpe, startup_trials: 3}}",
        SEARCH + "sampler: tpe}",
        OPTIMIZER.format("adam, betas: [0.9, 0.9]"),
        OPTIMIZER.format("adamw, lr: 2.0, weight_decay: 0.49"),
        OPTIMIZER.format("sgd, lr: 2.0, weight_decay: 0.4"),
        "regularization: {ema_decay: 0.996}\n" + TRAINING.rstrip(", ") + "}",
        "regularization: {ema_decay: none}",
    ],
)
def test_others_are_not(told, text: str) -> None:
    assert told(text) == []


AVERAGE = "regularization: {{average: {}}}\n" + TRAINING.rstrip(", ") + "}}"


@pytest.mark.parametrize(
    ("average", "found", "said"),
    [
        ("{start: {epochs: 8}}", [("no-effect", "8")], "weights are averaged behind 8 epochs, and the training ends"),
        ("{start: {epochs: 7}, every: {epochs: 1}}", [], ""),
        ("{every: {epochs: 1, steps: 2}}", [("one-length", "{epochs: 1, steps: 2}")], "has both epochs and steps"),
        ("{start: {}}", [("one-length", "{}")], "has neither epochs nor steps"),
        ("{decay: 0.9}, ema_decay: 0.9", [("values-disagree", "0.9")], "both say how weights are averaged"),
    ],
)
def test_averages_of_weights(told, messages, average: str, found: list[tuple[str, str]], said: str) -> None:
    text = AVERAGE.replace("{{", "{").replace("}}", "}").replace("{}", average, 1)
    assert told(text) == found
    assert said in messages(text)


def test_all_lines_cannot_be_dropped(told) -> None:
    assert told("data: {source: digits, augment: [{kind: line_dropout, p: 1}]}") == [("out-of-bounds", "1")]


def test_a_section_written_as_the_one_metric_that_it_is_about(messages, told) -> None:
    assert told("evaluation: valid/accuracy") == [("wrong-type", "valid/accuracy")]
    assert "write {select: {metric: valid/accuracy}}" in messages("evaluation: valid/accuracy")
    assert told("evaluation: {select: {metric: valid/accuracy}}") == []
