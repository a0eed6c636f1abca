"""What lint knows of sources and of what works on images, beside the components themselves."""

import numpy as np
import pytest
import torch

from craftc.compiler.checking.rules.data import GIVES, KNOWN_FACTS, NEED_IMAGES, NEED_TEXT, UNFIT_FOR_TEXT
from craftc.components.build import build
from craftc.components.numbers import Numbers
from craftc.components.registry import REGISTRY
from craftc.schemas.catalogue import FROZEN_BACKBONE
from craftc.training.data.prepare import infer_facts, prepare

SPLITS = {"train": 0.5, "valid": 0.5, "stratify": True, "seed": 0}
ARGUMENTS = {"gaussian_noise": {"std": 0.1}}


@pytest.mark.parametrize("source", KNOWN_FACTS)
def test_what_is_known_of_a_source_is_so(source: str) -> None:
    settings = {"kind": source, "line_drift": 0.0, "imbalance": 1.0, "seed": 0}
    data = prepare({"source": settings, "splits": SPLITS, "normalize": {"kind": "none"}})
    num_samples = sum(map(len, data.splits.values()))
    assert KNOWN_FACTS[source] == {"num_samples": num_samples, **data.facts}
    assert infer_facts({"num_lines": "infer"}, data.facts)


@pytest.mark.parametrize("kind", REGISTRY["augmentations"])
def test_what_needs_images_is_known(kind: str) -> None:
    augmentation = build("augmentations", {"kind": kind, **ARGUMENTS.get(kind, {})})
    table = torch.from_numpy(np.ones((4, 3), dtype=np.float32))
    if kind in NEED_IMAGES["augmentations"]:
        with pytest.raises(ValueError, match="needs images"):
            augmentation(table, Numbers((0, 0), table.device))
    else:
        assert augmentation(table, Numbers((0, 0), table.device)).shape == table.shape


def test_of_every_source_it_is_known_what_it_gives() -> None:
    assert set(GIVES) == set(REGISTRY["sources"])
    assert {source for source, what in GIVES.items() if what == "text"} == {"text_file", "python_docs"}


SIZES: dict[str, dict[str, int]] = {
    "linear": {"num_features": 6, "num_classes": 9},
    "mlp": {"num_features": 6, "num_classes": 9},
    "scanline_vit": {"num_lines": 2, "line_length": 3, "num_classes": 9},
    "decoder": {"vocabulary_size": 9, "context_length": 6},
}


@pytest.mark.parametrize("kind", SIZES)
def test_which_models_take_text_is_known(kind: str) -> None:
    model = build("models", {"kind": kind, **SIZES[kind]})
    tokens, images = torch.arange(6).repeat(4, 1), torch.zeros(4, 2, 3)
    if kind in NEED_TEXT["models"]:
        assert model(tokens).shape == (4, 6, 9)
        with pytest.raises((RuntimeError, ValueError)):
            model(images)
    else:
        assert kind in UNFIT_FOR_TEXT["models"] | NEED_IMAGES["models"]
        assert model(images).shape == (4, 9)
        with pytest.raises((RuntimeError, ValueError)):
            model(tokens)


def test_what_every_model_takes_is_known() -> None:
    # A frozen backbone takes what its backbone takes, but text.
    assert set(REGISTRY["models"]) - set(SIZES) == {FROZEN_BACKBONE}
    assert FROZEN_BACKBONE in UNFIT_FOR_TEXT["models"]
