"""Trials on a table with a column of text: what a model is given, what it learns, and copies of texts."""

import importlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from craftc.components.errors import DataError
from craftc.schemas.batching import BatchFinding
from craftc.schemas.result import Result
from craftc.training.batched_trials.train import Findings, train_batched
from craftc.training.data.prepare import prepare
from craftc.training.loop.attempt import attempt
from craftc.training.state.member import Member

OWN = """
from torch import Tensor, nn


class Words(nn.Module):
    def __init__(self, *, vocabulary_size: int, num_classes: int) -> None:
        super().__init__()
        self.scores = nn.Embedding(vocabulary_size, num_classes)
        nn.init.zeros_(self.scores.weight)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return (self.scores(tokens) * mask.unsqueeze(-1)).sum(1)


class Both(Words):
    def forward(self, numbers: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        return super().forward(tokens, mask) + numbers[:, :1]
"""
GOOD, BAD = ["fine", "great", "lovely", "moving", "superb", "bold"], ["dull", "poor", "weak", "awful", "flat", "long"]
EITHER = ["the", "a", "film", "plot", "actors", "music", "of", "and", "was", "with", "story", "scene", "it", "ending"]


def reviews(num_rows=1200):
    """Texts in which words of either side occur, most of them of the side that the text is on."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(num_rows):
        is_good = rng.uniform() < 0.5
        sides = rng.uniform(size=rng.integers(1, 4)) < 0.8
        told = [str(rng.choice(GOOD if is_good == is_own else BAD)) for is_own in sides]
        words = [*told, *map(str, rng.choice(EITHER, rng.integers(2, 12)))]
        rng.shuffle(words)
        rows.append((" ".join(words).capitalize() + ".", round(rng.uniform(1, 90), 1), "yes" if is_good else "no"))
    return pd.DataFrame(rows, columns=["review", "minutes", "liked"]).drop_duplicates("review", ignore_index=True)


@pytest.fixture
def make_review_trial(make_trial, tmp_path, monkeypatch):
    (tmp_path / "own_readers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    def make(settings=None, *, table=None, seed=0):
        (reviews() if table is None else table).to_csv(tmp_path / "reviews.csv", index=False)
        asked = {
            "data.source": {
                "kind": "csv", "path": str(tmp_path / "reviews.csv"), "target": "liked", "features": "none",
                "columns": {"review": "text", "minutes": "ignore"},
            },
            "data.normalize": {"kind": "none"},
            "data.augment": [],
            "model": {"kind": "own_readers:Words", "vocabulary_size": "infer", "num_classes": "infer"},
            "objective.class_weights": "none",
            "regularization.clip_grad_norm": "none",
            "training.optimizer.lr": 0.03,
            "training.optimizer.weight_decay": 0.0,
            "training.epochs": 15,
        }  # fmt: skip
        return make_trial({**asked, **(settings or {})}, seed=seed)

    return make


def test_words_are_weighed_as_well_as_by_logistic_regression(make_review_trial, run_trial, tmp_path: Path):
    trial = make_review_trial()
    data = prepare(trial.config["data"])
    rows = {
        name: [" ".join(split.columns["tokens"].names[token] for token in row[mask]) for row, mask in zip(
            split.columns["tokens"].values, split.columns["mask"].values, strict=True)]
        for name, split in data.splits.items()
    }  # fmt: skip
    model = make_pipeline(CountVectorizer(token_pattern=r"\S+"), LogisticRegression(C=1e6, max_iter=1000))
    fitted = model.fit(rows["train"], data.splits["train"].targets)
    expected = fitted.score(rows["test"], data.splits["test"].targets)
    _, result = run_trial(trial, tmp_path / "trial")
    assert expected > 0.75
    # Of 240 texts, 2.5 % are 6; the standard error of either accuracy is 2.5 %.
    assert result.best["test/accuracy"] == pytest.approx(expected, abs=0.025)


def test_what_the_data_says_of_texts_and_numbers(make_review_trial):
    source = make_review_trial().config["data"]["source"]
    both = {**source, "columns": {"review": "text", "minutes": "number"}}
    trial = make_review_trial({"data.source": both, "model.kind": "own_readers:Both"})
    data = prepare(trial.config["data"])
    texts = data.splits["train"].columns["tokens"]
    of_texts = {"vocabulary_size": len(texts.names), "context_length": texts.shape[0]}
    assert data.facts == {"num_classes": 2, "target_kind": "class", **of_texts, "num_features": 1}
    assert attempt(trial, device="cpu") is None
    warning = attempt(make_review_trial({"data.source": both}), device="cpu")
    assert warning is not None
    assert warning.code == "column-unread"
    assert warning.message.startswith("numbers of the data is read by nothing: model own_readers:Words is given tokens")


def test_only_train_has_a_say_in_the_vocabulary(make_review_trial):
    table = reviews()
    table["review"] = [f"{text} word{index}" for index, text in enumerate(table["review"])]
    data = prepare(make_review_trial(table=table).config["data"])
    train, test = data.splits["train"], data.splits["test"]
    own = [name for name in train.columns["tokens"].names if name.startswith("word")]
    assert len(own) == len(train)
    assert ((test.columns["tokens"].values == 1).sum(axis=1) == 1).all()


def test_copies_of_a_text_are_found_by_the_whole_of_it(make_review_trial):
    table = reviews()
    table["review"] = [f"the same beginning {text}" for text in table["review"]]
    trial = make_review_trial({"data.source.max_tokens": 3}, table=table)
    data = prepare(trial.config["data"])
    assert [warning.code for warning in data.warnings] == ["text-cut"]
    assert 'texts of column "review" are longer than 3 tokens, max_tokens' in data.warnings[0].message
    table.loc[1:, "review"] = [table["review"][0].upper(), *table["review"][2:]]
    copies = make_review_trial({"data.splits.stratify": False, "data.splits.seed": 3}, table=table).config["data"]
    with pytest.raises(DataError, match="in train too") as raised:
        prepare(copies)
    assert raised.value.code == "split-leak"


def test_trials_on_texts_are_a_batch(make_review_trial, run_trial, tmp_path: Path):
    trials = [
        make_review_trial({"training.epochs": 2, "training.optimizer.lr": lr}, seed=seed)
        for seed, lr in ((0, 0.01), (1, 0.03))
    ]
    members = [[Member(trial, tmp_path / trial.id)] for trial in trials]
    findings = Findings(BatchFinding(seconds={1: 1.0, 2: 1.0}), lambda finding: None)
    with closing(train_batched(members, device="cpu", findings=findings, decide=lambda record: True)) as training:
        told = list(training)
    results = {item.trial: item for item in told if isinstance(item, Result)}
    assert set(results) == {trial.id for trial in trials}, told
    for trial in trials:
        _, alone = run_trial(trial, tmp_path / f"alone{trial.seed}")
        assert results[trial.id].best["valid/loss"] == pytest.approx(alone.best["valid/loss"], rel=1e-4)


def test_a_quantity_of_a_text_is_not_masked_by_the_text(make_review_trial, run_trial, tmp_path: Path):
    source = {
        "kind": "csv", "path": str(tmp_path / "reviews.csv"), "target": "minutes", "features": "none",
        "columns": {"review": "text", "minutes": "number", "liked": "ignore"},
    }  # fmt: skip
    asked = {"data.source": source, "objective": {"kind": "mse", "metrics": [{"kind": "mae"}]}, "training.epochs": 1}
    _, result = run_trial(make_review_trial(asked), tmp_path / "trial")
    assert result.best["test/mae"] > 0
