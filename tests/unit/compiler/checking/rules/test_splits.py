"""What a spec may say of its splits: roles, and one thing that tells samples apart."""

import pytest

from craftc.compiler.analyse import analyse
from craftc.compiler.language.catalogue import built_in_catalogue

CATALOGUE = built_in_catalogue()
REST = """
craftc: 1
name: x
model: mlp
objective: {{kind: cross_entropy, metrics: [accuracy]}}
training: {{epochs: 5, batch_size: 8, optimizer: adamw}}
data: {{source: digits, splits: {splits}}}
{more}
"""


def told(splits: str, more: str = "") -> list[tuple[str, str]]:
    """Code and path of each mistake."""
    found = analyse(REST.format(splits=splits, more=more), "x.yaml", CATALOGUE).diagnostics
    return [(each.code, each.path) for each in found]


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("{train: 0.6, val: 0.2, test: 0.2}", []),
        ("{train: 0.6, extra: 0.2, test: 0.2}", []),
        ("{train: 0.6, latest: 0.4}", []),
        ("{train: 0.6, val_test: 0.4}", [("split-role", "data.splits.val_test")]),
        ("{train: 0.6, test2: 0.4}", [("split-role", "data.splits.test2")]),
        ("{train: 0.6, holdout: 0.4}", [("split-role", "data.splits.holdout")]),
        ("{train: 0.6, val_calib: 0.4}", [("split-role", "data.splits.val_calib")]),
        ("{train: 0.6, val_test: {share: 0.4, for: select}}", []),
        ("{train: 0.6, val_test: {share: 0.4, for: final}}", []),
        ("{train: 0.6, valid: 0.2, cal: {share: 0.2, for: calibrate}}", [("no-effect", "data.splits.cal")]),
        ("{train: 0.6, more: {share: 0.4, for: fit}}", [("split-role", "data.splits.more")]),
        ("{train: {share: 0.6, for: final}, valid: 0.4}", [("split-role", "data.splits.train")]),
        ("{train: 0.6, valid: {for: select}}", [("missing-key", "data.splits.valid.share")]),
        ("{train: 0.6, valid: {share: 0.4, for: choosing}}", [("unknown-choice", "data.splits.valid.for")]),
        ("{column: part}", []),
        ("{column: part, val: {for: select}}", []),
        (
            "{train: 0.6, valid: 0.4, column: part}",
            [("split-method", "data.splits.train"), ("split-method", "data.splits.valid")],
        ),
        ("{column: part, file: s.json}", [("split-method", "data.splits.file")]),
        ("{train: 0.6, valid: 0.4, group: a, order: b}", [("split-method", "data.splits.order")]),
        ("{train: 0.6, valid: 0.4, fold: 2}", [("split-method", "data.splits.fold")]),
        ("{train: 0.6, valid: 0.4, folds: 3, fold: 3}", [("split-method", "data.splits.fold")]),
        ("{train: 0.8, valid: 0.2, folds: 3}", []),
        ("{folds: 3}", []),
        ("{folds: 3, held: {for: final}}", []),
        ("{train: 0.7, valid: 0.2, test: 0.1, folds: 3}", [("split-method", "data.splits.test")]),
        ("{folders: {train: a, valid: b}}", [("split-method", "data.splits.folders")]),
        ("{train: 0.6, valid: {share: 0.4, value: v}}", [("split-method", "data.splits.valid.value")]),
        ("{column: part, seed: 3}", [("no-effect", "data.splits.seed")]),
    ],
)  # fmt: skip
def test_what_splits_may_say(splits: str, expected: list[tuple[str, str]]) -> None:
    assert told(splits) == expected


ROLES = "{train: 0.5, valid: 0.2, cal: {share: 0.1, for: calibrate}, val_test: {share: 0.2, for: final}}"


@pytest.mark.parametrize("split", ["cal", "val_test"])
@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("evaluation: {{select: {{metric: {0}/loss}}}}", "evaluation.select.metric"),
        (
            "search: {{optimize: {{metric: {0}/accuracy}}, trials: 3, pruner: median, "
            "space: {{model.dropout: {{uniform: [0.0, 0.5]}}}}}}",
            "search.optimize.metric",
        ),
    ],
)
def test_nothing_chooses_by_a_split_that_is_not_for_it(split: str, more: str, place: str) -> None:
    assert ("held-out-used", place) in told(ROLES, more.format(split))


def test_stopping_and_a_plateau_choose_too() -> None:
    training = "training: {epochs: 5, batch_size: 8, optimizer: adamw, "
    for split in ("cal", "val_test"):
        for key, place in (
            (f"early_stopping: {{metric: {split}/loss, patience: 2}}", "training.early_stopping.metric"),
            (f"schedule: [{{kind: reduce_on_plateau, metric: {split}/loss}}]", "training.schedule.0.metric"),
        ):
            text = REST.format(splits=ROLES, more="").replace(
                "training: {epochs: 5, batch_size: 8, optimizer: adamw}", training + key + "}"
            )
            found = analyse(text, "x.yaml", CATALOGUE).diagnostics
            assert ("held-out-used", place) in [(each.code, each.path) for each in found]


def test_the_headline_is_of_what_is_final() -> None:
    assert told(ROLES, "report: {metric: val_test/accuracy}") == [("no-effect", "data.splits.cal")]
    for metric, code in (("valid/accuracy", "headline-not-final"), ("cal/accuracy", "held-out-used")):
        assert (code, "report.metric") in told(ROLES, f"report: {{metric: {metric}}}")
    assert told("{train: 0.5, valid: 0.5}", "report: {metric: valid/accuracy}") == []
