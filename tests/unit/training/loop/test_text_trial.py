"""A language model through the step that every trial takes."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from craftc.components.errors import DataError
from craftc.training.data.prepare import packed, prepare, unpacked
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.evaluate import evaluate_splits, evaluate_trivial
from craftc.training.loop.trial import lay_ground, open_training, train_trial
from craftc.training.parts.trivial import constant_output
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

# A text with structure to learn: a letter says which comes next two times out of three.
LENGTH = 3000


def make_text() -> str:
    random = np.random.RandomState(0)
    letters, text = "abcdef ", ["a"]
    for known in random.uniform(size=LENGTH - 1) < 2 / 3:
        text.append(letters[(letters.index(text[-1]) + 1) % 7] if known else letters[random.randint(7)])
    return "".join(text)


@pytest.fixture
def make_text_trial(make_trial, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(make_text())

    def make(settings=None, *, seed=0):
        text = {
            "data.source": {"kind": "text_file", "path": str(path), "context_length": 16, "min_count": 1},
            "data.normalize": {"kind": "none"},
            "data.augment": [],
            "model": {
                "kind": "decoder", "vocabulary_size": "infer", "context_length": "infer", "d_model": 16,
                "num_layers": 1, "num_heads": 2, "d_ffn": 32, "dropout": 0.1, "positions": "learned", "tied": True,
            },
            "objective.class_weights": "none",
            "objective.metrics": [{"kind": "bits_per_character"}, {"kind": "perplexity"}, {"kind": "accuracy"}],
            "training.batch_size": 16,
        }  # fmt: skip
        return make_trial({**text, **(settings or {})}, seed=seed)

    return make


def test_it_learns_and_every_number_says_the_same(make_text_trial, run_trial, tmp_path):
    _, result = run_trial(make_text_trial({"training.epochs": 6}), tmp_path / "trial")
    for split in ("train", "valid", "test"):
        nats = result.best[f"{split}/loss"]
        assert result.best[f"{split}/bits_per_character"] == pytest.approx(nats / math.log(2), rel=1e-6)
        assert result.best[f"{split}/perplexity"] == pytest.approx(math.exp(nats), rel=1e-6)
    # To know only which letters are frequent is worth little; to know what follows which, 2 of 3 right.
    assert result.trivial["test/bits_per_character"] == pytest.approx(math.log2(7), abs=0.05)
    assert result.best["test/bits_per_character"] < result.trivial["test/bits_per_character"] - 0.3
    assert result.best["test/accuracy"] > 0.5
    assert "7 characters" in result.identities["bits_per_character"]
    # 3,000 characters: windows of 16, one character more for the last target.
    assert result.split_sizes == {"train": 1799 // 16, "valid": 599 // 16, "test": 599 // 16}


def test_the_trivial_predictor_knows_the_letters_of_train(make_text_trial, run_trial, tmp_path):
    trial = make_text_trial({"training.epochs": 1})
    data = prepare(trial.config["data"])
    _, result = run_trial(trial, tmp_path / "trial")
    shares = data.class_counts / data.class_counts.sum()
    bits = -np.log2(shares)[data.splits["test"].targets].mean()
    assert result.trivial["test/bits_per_character"] == pytest.approx(bits, rel=1e-6)


def test_weights_and_smoothing_change_the_loss_and_not_the_bits(make_text_trial, run_trial, tmp_path):
    weighted = {"objective.class_weights": "balanced", "objective.label_smoothing": 0.2, "training.epochs": 1}
    _, result = run_trial(make_text_trial(weighted), tmp_path / "trial")
    bits, loss = result.best["test/bits_per_character"], result.best["test/loss"]
    assert abs(loss / math.log(2) - bits) > 0.01
    assert "balanced" in result.identities["loss"]
    with pytest.raises(DataError, match="2 entries, but the data has 7 classes"):
        run_trial(make_text_trial({"objective.class_weights": [1.0, 2.0]}), tmp_path / "other")


def test_an_interrupted_one_goes_on_bit_by_bit(make_text_trial, run_trial, tmp_path):
    trial = make_text_trial({"regularization.ema_decay": 0.9})
    records, result = run_trial(trial, tmp_path / "straight")
    epochs = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    next(epochs)
    epochs.close()
    resumed, other = run_trial(trial, tmp_path / "cut")
    assert [record.metrics for record in resumed] == [record.metrics for record in records[1:]]
    assert (other.best, other.last) == (result.best, result.last)


def test_losses_and_metrics_that_know_nothing_of_text(make_text_trial, run_trial, tmp_path):
    settings = {
        "objective": {
            "kind": "torch.nn:CrossEntropyLoss",
            "metrics": [
                {"kind": "bits_per_character"},
                {"kind": "torchmetrics.classification:MulticlassAccuracy", "num_classes": "infer", "average": "micro"},
                {"kind": "accuracy"},
            ],
        }
    }
    _, result = run_trial(make_text_trial(settings), tmp_path / "theirs")
    _, ours = run_trial(make_text_trial(), tmp_path / "ours")
    assert result.best["test/MulticlassAccuracy"] == pytest.approx(result.best["test/accuracy"], abs=1e-6)
    assert result.best["test/loss"] == pytest.approx(ours.best["test/loss"], rel=1e-5)


OWN = """
import torch
from torch import nn
from craftc.components.sources.tokens import Tokens
import numpy as np

class Bigram(nn.Module):
    def __init__(self, *, vocabulary_size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary_size, vocabulary_size)

    def forward(self, tokens):
        return self.table(tokens)

class LastAlone(Bigram):
    def forward(self, tokens):
        return super().forward(tokens)[:, -1]

def words() -> Tokens:
    return Tokens(np.arange(900) % 3 % 2, ("yes", "no"), context_length=5)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_text.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_text", None)


def test_tokens_and_a_model_of_ones_own(make_text_trial, run_trial, own, tmp_path):
    settings = {
        "data.source": {"kind": "own_text:words"},
        "model": {"kind": "own_text:Bigram", "vocabulary_size": "infer"},
        "training.optimizer": {"kind": "adamw", "lr": 0.1},
        "training.epochs": 20,
    }
    _, result = run_trial(make_text_trial(settings), tmp_path / "trial")
    # After "no" comes "yes"; after "yes", either of them as often.
    assert result.best["test/perplexity"] == pytest.approx(2 ** (2 / 3), rel=0.02)
    with pytest.raises(TrainingError, match=r"expected logits \(batch, context_length, num_classes\) = \(2, 5, 2\)"):
        run_trial(make_text_trial(settings | {"model.kind": "own_text:LastAlone"}), tmp_path / "other")


def test_nothing_computes_with_the_numbers_of_tokens(make_text_trial):
    for place, value in (("normalize", {"kind": "per_dataset"}), ("layout", "lines")):
        with pytest.raises(DataError) as raised:
            prepare(make_text_trial({f"data.{place}": value}).config["data"])
        assert (raised.value.code, raised.value.place) == ("unfit-for-text", f"data.{place}")


def test_a_large_text_is_evaluated_in_batches_that_fit(make_text_trial):
    from craftc.training.data.device_split import evaluation_batches, to_device

    split = to_device(prepare(make_text_trial().config["data"]).splits, torch.device("cpu"))["train"]
    columns = {name: column.repeat(20, 1) for name, column in split.columns.items()}
    sizes = [len(batch["x"]) for batch in evaluation_batches(replace(split, columns=columns, num_classes=0), 16)]
    assert sizes[0] * 16 == 16_384
    assert sum(sizes) == 20 * len(split)


@pytest.mark.parametrize("stride", [16, 6])
def test_of_overlapping_windows_every_token_is_measured_once(make_text_trial, tmp_path, stride):
    settings = {"data.source.stride": stride, "training.precision": "float64", "model.dropout": 0.0}
    trial = make_text_trial(settings)
    training = open_training(Start([Member(trial, tmp_path)]), lay_ground(trial, "cpu", tmp_path / "prepared"))
    training.train_record()
    parts = training.parts
    found = evaluate_splits(parts, training.splits, ["valid"], epoch=1, num_steps=1, batch_size=16)
    constants = {"class_frequencies": constant_output("class_frequencies", prepare(trial.config["data"]))}
    trivial = evaluate_trivial(parts, training.splits, constants, num_steps=1, batch_size=16)
    # Apart: token after token of the stretch, each once, with what its window has before it.
    text = make_text()
    letters = sorted(set(text[:1800]))
    row = torch.tensor([letters.index(letter) for letter in text[1800:2400]])
    nats, right, baseline = [], [], []
    shares = torch.tensor([text[:1800].count(letter) for letter in letters]).double()
    for target in range(1, len(row)):
        starts = [s for s in range(0, len(row) - 16, stride) if s < target <= s + 16] or [len(row) - 17]
        # The first window that has it: later ones have less before it.
        start = starts[0]
        with torch.no_grad():
            logits = parts.model(row[None, start : start + 16])[0, target - start - 1]
        nats.append(-logits.log_softmax(-1)[row[target]].item())
        right.append(logits.argmax().item() == row[target].item())
        baseline.append(-(shares / shares.sum()).log()[row[target]].item())
    assert len(nats) == 599
    assert found["valid/loss"] == pytest.approx(np.mean(nats), rel=1e-10)
    assert found["valid/perplexity"] == pytest.approx(math.exp(np.mean(nats)), rel=1e-6)
    assert found["valid/accuracy"] == pytest.approx(np.mean(right), rel=1e-12)
    assert trivial["valid/loss"] == pytest.approx(np.mean(baseline), rel=1e-3)


def test_overlapping_windows_are_kept_as_they_are_made(make_text_trial):
    data = prepare(make_text_trial({"data.source.stride": 6}).config["data"])
    again = unpacked(*packed(data))
    for name, split in data.splits.items():
        assert set(again.splits[name].columns) == set(split.columns)
        for column, values in split.columns.items():
            assert np.array_equal(again.splits[name].columns[column].values, values.values)
            assert again.splits[name].columns[column].role == values.role


OTHER_MEASURES = """
import torch

class Share(torch.nn.Module):
    mode = "max"

    def __init__(self):
        super().__init__()
        self.total = 0

    def reset(self):
        self.total = 0

    def update(self, output, targets):
        self.total += len(targets)

    def compute(self):
        return torch.tensor(float(self.total))
"""


def test_what_knows_of_no_mask_is_given_what_counts_alone(make_text_trial, run_trial, tmp_path, monkeypatch):
    (tmp_path / "other_measures.py").write_text(OTHER_MEASURES)
    monkeypatch.syspath_prepend(tmp_path)
    settings = {
        "data.source.stride": 6,
        "objective": {"kind": "torch.nn:CrossEntropyLoss", "metrics": [{"kind": "other_measures:Share"}]},
        "training.epochs": 1,
    }
    _, result = run_trial(make_text_trial(settings), tmp_path / "trial")
    assert result.last["valid/Share"] == 599.0
    assert result.last["test/Share"] == 599.0
