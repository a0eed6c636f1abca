"""A sure mend changes what it names and nothing else of the text, however that is written; or there is none."""
# ruff: noqa: E501 (tables of texts)

from collections.abc import Callable
from itertools import pairwise

import pytest

from craftc.compiler.fixing.apply_edits import apply_edits
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.pipeline import analyse
from craftc.schemas.diagnostic import Diagnostic

START = "craftc: 1\nname: x\ndata: {source: digits}\nobjective: cross_entropy\n"
MODEL = "model: mlp\n"
TRAINING = "training: {epochs: 5, batch_size: 32, optimizer: adamw}\n"


def diagnosed(text: str) -> list[Diagnostic]:
    return [d for d in analyse(text, "x.yaml", built_in_catalogue()).diagnostics if d.severity == "error"]


def mended(text: str) -> str | None:
    """The text with its first fix made, which has to be without errors then; None where nothing has a fix."""
    fixes = [d.fix for d in diagnosed(text) if d.fix is not None]
    if not fixes:
        return None
    for edit, after in pairwise(fixes[0].edits):
        assert edit.range.end <= after.range.start
    changed = apply_edits(text, fixes[0].edits)
    assert diagnosed(changed) == [], changed
    return changed


def check(whole: Callable[[str], str], before: str, after: str | None) -> None:
    """The mend of one section in a spec, with line ends of every kind, and with and without one at the end."""
    for newline in ("\n", "\r\n", "\r"):
        for mark in ("", "\ufeff"):
            text = (mark + whole(before)).replace("\n", newline)
            expected = None if after is None else (mark + whole(after)).replace("\n", newline)
            assert mended(text) == expected
            assert mended(text.removesuffix(newline)) == (expected and expected.removesuffix(newline))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model: {kind: mlp, droput: 0.1}", "model: {kind: mlp, dropout: 0.1}"),
        ("model: {kind: mlp, 'droput': 0.1}", "model: {kind: mlp, 'dropout': 0.1}"),
        ('model: {"kind":"mlp","droput":0.1}', 'model: {"kind":"mlp","dropout":0.1}'),
        ("model:\n  kind: mlp\n  # less\n  droput :  0.1  # a bit", "model:\n  kind: mlp\n  # less\n  dropout :  0.1  # a bit"),
        ("model:\n  kind: mlp\n  ? droput\n  : 0.1", "model:\n  kind: mlp\n  ? dropout\n  : 0.1"),
        ("model: {kind: mlp, droput: &d 0.1}", "model: {kind: mlp, dropout: &d 0.1}"),
        ("model: mpl", "model: mlp"),
        ("model: 'mpl'  # né", "model: 'mlp'  # né"),
        ("model:\n  kind: \"mpl\"", "model:\n  kind: \"mlp\""),
        ("model: {kind: mlp, activation: rellu}", "model: {kind: mlp, activation: relu}"),
        ("model: {kind: mlp, hidden: 16}", "model: {kind: mlp, hidden: [16]}"),
        ("model: {kind: mlp, hidden:  0x10 }", "model: {kind: mlp, hidden:  [0x10] }"),
        ("model: {kind: mlp, hidden: &h 16}", "model: {kind: mlp, hidden: &h [16]}"),
        ("model: {kind: mlp, hidden: ['16', 8]}", "model: {kind: mlp, hidden: [16, 8]}"),
        ("model:\n  kind: mlp\n  hidden:\n  - 8\n  - \"16\" # many", "model:\n  kind: mlp\n  hidden:\n  - 8\n  - 16 # many"),
        ("model: {kind: mlp, hidden: [16.0]}", "model: {kind: mlp, hidden: [16]}"),
        ("model: {kind: mlp, dropout: '0.1'}", "model: {kind: mlp, dropout: 0.1}"),
        ("model: {kind: mlp, dropout: '1.5'}", None),
        ("model: {kind: mlp, dropout:0.1}", "model: {kind: mlp, dropout: 0.1}"),
        ("model: {kind: mlp, dropout:'x'}", None),
        ("model: {kind: mlp, droput: 0.1, dropout: 0.2}", None),
        ("model: {kind: mlp, droput: 0.1, dropuot: 0.2}", None),
        ("model: {kind: mlp, dropp: 0.1}", None),
        ("model: {kind: mlp, drop: 0.1}", None),
        ("model: &m {kind: mlp, droput: 0.1}\nablation: {grid: {model: [*m]}}", None),
        ("model: {kind: mlp, hidden: &h 16}\nablation: {grid: {model.hidden: [*h]}}", None),
        ("model: {<<: {kind: mlp}, droput: 0.1}", "model: {<<: {kind: mlp}, dropout: 0.1}"),
        ("model: |-\n  mpl", None),
        ('model: "m\\\n  pl"', None),
    ],
)  # fmt: skip
def test_keys_and_values(before: str, after: str | None) -> None:
    check(lambda section: f"{START}{TRAINING}{section}\n", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("deterministic: yes", "deterministic: true"),
        ("deterministic: 'Off'", "deterministic: false"),
        ("deterministic: \"true\"", "deterministic: true"),
        ("deterministic: maybe", None),
        ("compile: on", "compile: true"),
        ("schedule: cosine", "schedule: [cosine]"),
        ("schedule: {kind: cosine}", "schedule: [{kind: cosine}]"),
        ("schedule: {kind: cosine,\n    epochs: 5}", "schedule: [{kind: cosine,\n    epochs: 5}]"),
        ("schedule:\n    kind: cosine\n\n    # all\n    epochs: 5   # of them",
         "schedule:\n    - kind: cosine\n\n      # all\n      epochs: 5   # of them"),
        ("schedule:  # one\n  # low\n      kind: cosine\n  # low\n      epochs:\n       5",
         "schedule:  # one\n  # low\n      - kind: cosine\n  # low\n        epochs:\n         5"),
        ("schedule: &s\n    kind: cosine", "schedule: &s\n    - kind: cosine"),
        ("early_stopping: {metric: valid/los, patience: 2}", "early_stopping: {metric: valid/loss, patience: 2}"),
        ("early_stopping: {metric: vaild/loss, patience: 2}", "early_stopping: {metric: valid/loss, patience: 2}"),
        ("early_stopping: {metric: valid/acuracy, patience: 2}", "early_stopping: {metric: valid/accuracy, patience: 2}"),
        ("early_stopping: {metric: validation/loss, patience: 2}", "early_stopping: {metric: valid/loss, patience: 2}"),
        ("early_stopping: {metric: loss, patience: 2}", None),
        ("early_stopping: {metric: valid/loss, patience: 2, mode: mni}",
         "early_stopping: {metric: valid/loss, patience: 2, mode: min}"),
    ],
)  # fmt: skip
def test_values_of_training(before: str, after: str | None) -> None:
    training = "training:\n  epochs: 5\n  batch_size: 32\n  optimizer: adamw\n"
    check(lambda lines: f"{START}{MODEL}{training}  {lines}\n", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("grid: {modle.hidden: [[8]]}", "grid: {model.hidden: [[8]]}"),
        ("grid: {'model.hiden': [[8]]}", "grid: {'model.hidden': [[8]]}"),
        ("grid: {model.hidden: [8, [16]]}", "grid: {model.hidden: [[8], [16]]}"),
        ("grid: {training.batch_size: ['64', 16]}", "grid: {training.batch_size: [64, 16]}"),
        ("grid: [{model.hidden: [[8]]}]", "grid: {model.hidden: [[8]]}"),
        ("grid: [ {model.hidden: [[8]]}, ]", "grid: {model.hidden: [[8]]}"),
        ("grid: [model.hidden: [[8]]]", None),
        ("grid: [{model.hidden: [[8]]} # c\n    ]", None),
        ("grid:\n  -  model.hidden: [[8]]\n     training.epochs: [2]",
         "grid:\n     model.hidden: [[8]]\n     training.epochs: [2]"),
        ("grid:\n    - {model.hidden: [[8]]}", "grid:\n      {model.hidden: [[8]]}"),
        ("features: {wide: {model.hiden: [8]}}", "features: {wide: {model.hidden: [8]}}"),
        ("zip: {training.optimizer.lrr: [0.1]}", "zip: {training.optimizer.lr: [0.1]}"),
        ("grid: {model.hidden: [[8]]}\n  require: training.epochs > 1",
         "grid: {model.hidden: [[8]]}\n  require: [training.epochs > 1]"),
        ("grid: {model: [mlp, {kind: mpl, hidden: [8]}]}", "grid: {model: [mlp, {kind: mlp, hidden: [8]}]}"),
        ("grid: {training.epochs: [2, 3]}\n  exclude: [{training.epoch: 3}]",
         "grid: {training.epochs: [2, 3]}\n  exclude: [{training.epochs: 3}]"),
        ("grid: {sed: [1]}", None),
    ],
)  # fmt: skip
def test_what_an_ablation_sets(before: str, after: str | None) -> None:
    check(lambda lines: f"{START}{MODEL}{TRAINING}ablation:\n  {lines}\n", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model.activation: [relu, gelu]", "model.activation: {choice: [relu, gelu]}"),
        ("model.dropout: [0.1, 0.2]", None),
        ("model.dropout: [0, 0.5, 0.1]", None),
        ("model.activation: {choice: [relu, selu]}", None),
        ("model.activation: {choice: [relu, tahn]}", "model.activation: {choice: [relu, tanh]}"),
        ("training.epochs: {uniform: [1, 4]}", None),
        ("model.droput: {uniform: [0.1, 0.2]}", "model.dropout: {uniform: [0.1, 0.2]}"),
        ("model.dropout: {unifrom: [0.1, 0.2]}", "model.dropout: {uniform: [0.1, 0.2]}"),
    ],
)
def test_ranges_of_a_search(before: str, after: str | None) -> None:
    search = "search:\n  optimize: {metric: valid/loss}\n  trials: 3\n  space:\n    "
    check(lambda lines: f"{START}{MODEL}{TRAINING}{search}{lines}\n", before, after)
