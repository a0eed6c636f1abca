"""Sequence to sequence as a trial: padding, the trivial predictor, teacher forcing that fades, resumed as straight."""

import math
from collections import Counter

import pytest

from craftc.components.sources.text_pairs import python_words
from craftc.training.batched_trials.compatibility import try_out
from craftc.training.loop.trial import lay_ground, open_training, train_trial
from craftc.training.state.member import Member
from craftc.training.state.resume import Start

WORDS = {
    "data.source": {"kind": "python_words", "given": "consonants", "sha256": "infer"},
    "data.splits": {"train": 0.1, "valid": 0.05, "test": 0.85, "stratify": True, "seed": 0},
    "data.normalize": {"kind": "none"},
    "data.augment": [],
    "model": {
        "kind": "seq2seq", "vocabulary_size": "infer", "cell": "gru", "d_embedding": 8, "d_hidden": 16,
        "num_layers": 1, "attention": False, "dropout": 0.1,
    },
    "objective": {
        "kind": "cross_entropy", "class_weights": "none", "label_smoothing": 0.0,
        "metrics": [{"kind": "accuracy"}, {"kind": "perplexity"}],
    },
    "training.values": {"teacher_forcing": [{"kind": "linear", "start": 1.0, "end": 0.0, "epochs": "none"}]},
}  # fmt: skip


def test_a_trial_learns_and_a_resumed_one_equals_it(make_trial, run_trial, tmp_path):
    trial = make_trial(WORDS | {"training.epochs": 2})
    records, result = run_trial(trial, tmp_path / "straight")
    assert records[1].metrics["train/loss"] < records[0].metrics["train/loss"] < result.trivial["train/loss"] + 1
    epochs = train_trial(trial, folder=tmp_path / "cut", device="cpu")
    next(epochs)
    epochs.close()
    rest, _ = run_trial(trial, tmp_path / "cut")
    assert [record.metrics for record in rest] == [record.metrics for record in records[1:]]


def test_the_trivial_predictor_has_the_frequencies_of_what_counts(make_trial, tmp_path):
    training = opened(make_trial(WORDS), tmp_path)
    train = training.splits["train"]
    tokens = train.columns["targets"][train.columns["targets_mask"]].tolist()
    counts = Counter(tokens)
    entropy = -sum(n / len(tokens) * math.log(n / len(tokens)) for n in counts.values())
    found = training.examiner._of_nothing(1)
    assert found["train/loss"] == pytest.approx(entropy, rel=1e-5)
    assert found["train/perplexity"] == pytest.approx(math.exp(entropy), rel=1e-5)
    assert found["train/accuracy"] == pytest.approx(max(counts.values()) / len(tokens), rel=1e-6)
    assert 0 not in counts
    assert len(python_words()) > len(train)


def opened(trial, folder):
    return open_training(Start([Member(trial, folder)]), lay_ground(trial, "cpu"))


def test_trials_of_it_are_trained_alone_and_it_is_said_why(make_trial, tmp_path):
    trainings = [opened(make_trial(WORDS, seed=seed), tmp_path / str(seed)) for seed in (0, 1)]
    reason = try_out([training.parts for training in trainings], trainings[0].train, batch_size=8)
    assert reason is not None
    assert reason.startswith("model: ")
