"""Outputs as words and as pictures."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from craftc.components.artefacts.reconstructions import Reconstructions
from craftc.components.artefacts.trained import ArtefactError
from craftc.components.sources.columns import Column

VECTORS = {"sun": [1.0, 0.0, 0.0], "moon": [0.0, 2.0, 0.0], "sea": [0.0, 0.0, 0.5]}


class Turned(nn.Module):
    """Makes the sea of the moon."""

    def forward(self, vectors_BTF: torch.Tensor) -> torch.Tensor:
        is_moon = vectors_BTF[..., 1:2] > 0
        return torch.where(is_moon, torch.tensor([0.0, 0.1, 0.3]), vectors_BTF * 7)


def of_words(make_trained: Any, model: nn.Module):
    texts = ["sun moon sea sun", "moon", "<unknown> sea", "sun sun"]
    rows = np.zeros((4, 4, 3), dtype=np.float32)
    known = np.zeros((4, 4), dtype=bool)
    for row, text in enumerate(texts):
        for place, word in enumerate(text.split()):
            known[row, place] = word in VECTORS
            rows[row, place] = VECTORS.get(word, [0.3, 0.3, 0.3])
    target = Column(rows, "vectors", "target")
    columns = {"targets_mask": torch.from_numpy(known)}
    return make_trained(model, torch.from_numpy(rows), target, beside={"words": np.array(texts)}, columns=columns)


def test_the_nearest_word_by_direction(make_trained: Any) -> None:
    made = Reconstructions(samples=2).make(of_words(make_trained, Turned()))
    assert made.values["samples"] == [
        {"target": "sun moon sea sun", "output": "sun sea sea sun"},
        {"target": "moon", "output": "sea"},
    ]
    # Eight words are known, of which two are the moon.
    assert (made.values["words"], made.values["share_right"]) == (8, 6 / 8)
    assert made.values["different_words"] == 3


def test_a_model_that_changes_nothing_is_right(make_trained: Any) -> None:
    made = Reconstructions().make(of_words(make_trained, nn.Identity()))
    assert made.values["share_right"] == 1
    assert made.text is not None
    assert made.text.startswith("100.0% of 8 words are right; 3 different ones\n")


def test_pictures_beside_each_other(make_trained: Any) -> None:
    images = np.random.default_rng(0).normal(size=(5, 8, 8)).astype(np.float32)
    trained = make_trained(nn.Flatten(), torch.from_numpy(images) + 0.5, Column(images, "real", "target"))
    made = Reconstructions(samples=3).make(trained)
    assert made.values["mse"] == pytest.approx([0.25] * 3, rel=1e-5)
    assert made.picture is not None


def test_numbers_are_neither(make_trained: Any) -> None:
    trained = make_trained(nn.Identity(), torch.zeros(3, 4), Column(np.zeros((3, 4)), "real", "target"))
    with pytest.raises(ArtefactError, match=r"quantities of shape \(4,\)"):
        Reconstructions().make(trained)
