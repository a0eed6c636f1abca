"""What components declare of the data that they give or take is what they do."""

import inspect

import numpy as np
import pytest
import torch

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.components.augmentations.mixing import Mixed
from craftc.components.augmentations.torchvision_transforms import OneImage
from craftc.components.build import build, load_component
from craftc.components.numbers import Numbers
from craftc.components.registry import REGISTRY
from craftc.schemas.catalogue import NUMBERS_OF_DATA, ComponentEntry
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import prepare

CATALOGUE = built_in_catalogue()
SPLITS = {"train": 0.5, "valid": 0.5, "stratify": True, "seed": 0}
ARGUMENTS = {
    "gaussian_noise": {"std": 0.1},
    "cutout": {"size": 2},
    "time_mask": {"max_length": 2},
    "frequency_mask": {"max_length": 2},
    "token_dropout": {"token": 0},
}
DECLARED = (
    "gives",
    "gives_targets",
    "gives_columns",
    "facts",
    "seed_unused_at",
    "takes",
    "data_layout",
    "takes_targets",
    "takes_outputs",
    "pools_columns",
    "patience_argument",
    "min_lr_argument",
    "low_lr_argument",
    "empty_means",
    "packages",
    "search_ranges",
)


def entry(group: str, kind: str) -> ComponentEntry:
    found = CATALOGUE.find(group, kind)
    assert found is not None
    return found


@pytest.mark.parametrize("source", [e.kind for e in CATALOGUE.entries if e.facts])
def test_what_is_known_of_a_source_is_so(source: str) -> None:
    is_seeded = entry("sources", source).parameter("seed") is not None
    settings = {"kind": source, **({"seed": 0} if is_seeded else {}), **entry("sources", source).seed_unused_at}
    data = prepare({"source": settings, "splits": SPLITS, "normalize": {"kind": "none"}})
    num_samples = sum(map(len, data.splits.values()))
    numbers = {name: value for name, value in data.facts.items() if name in NUMBERS_OF_DATA}
    assert entry("sources", source).facts == {"num_samples": num_samples, **numbers}
    assert data.facts.get("target_kind") in (None, *entry("sources", source).gives_targets)
    assert infer_facts({"num_features": "infer"}, data.facts)
    if not entry("sources", source).seed_unused_at:
        return
    again = build("sources", {**settings, "seed": 1})
    assert np.array_equal(again.inputs, build("sources", settings).inputs)


@pytest.mark.parametrize("kind", REGISTRY["augmentations"])
def test_what_needs_images_is_known(kind: str) -> None:
    augmentation = build("augmentations", {"kind": kind, **ARGUMENTS.get(kind, {})})
    table = torch.from_numpy(np.ones((4, 3), dtype=np.float32))
    drawing = () if isinstance(augmentation, OneImage) else (Numbers((0, 0), table.device),)
    if entry("augmentations", kind).takes == ("images",):
        with pytest.raises(ValueError, match=r"needs (images|samples)"):
            augmentation(table, *drawing)
    else:
        changed = augmentation(table, *drawing)
        assert (changed.x if isinstance(changed, Mixed) else changed).shape == table.shape


TABLES = {"csv", "parquet", "hf_dataset"}
"""Of which a column may be text."""


def test_of_every_source_it_is_known_what_it_gives() -> None:
    gives = {e.kind: e.gives for e in CATALOGUE.entries if e.group == "sources"}
    # Pairs of texts and vectors of words are no stretches of one text, and not yet a kind of their own.
    assert {source for source, kinds in gives.items() if not kinds} == {"text_pairs", "python_words", "word_vectors"}
    assert {source for source, kinds in gives.items() if kinds == ("text",)} == {"text_file", "python_docs"}
    assert {source for source, kinds in gives.items() if "text" in kinds and "table" in kinds} == TABLES


SIZES: dict[str, dict[str, int]] = {
    "linear": {"num_features": 6, "num_classes": 9},
    "mlp": {"num_features": 6, "num_classes": 9},
    "scanline_vit": {"num_lines": 2, "line_length": 3, "num_classes": 9},
    "decoder": {"vocabulary_size": 9, "context_length": 6},
    "cnn": {"num_channels": 1, "num_classes": 9},
    "resnet": {"num_channels": 1, "num_classes": 9},
    "scanline_transformer": {"num_lines": 2, "line_length": 3, "num_classes": 9},
    "lrcn": {"line_length": 3, "num_classes": 9},
}


@pytest.mark.parametrize("kind", SIZES)
def test_which_models_take_text_is_known(kind: str) -> None:
    model = build("models", {"kind": kind, **SIZES[kind]})
    tokens, images = torch.arange(6).repeat(4, 1), torch.zeros(4, 2, 3)
    takes = entry("models", kind).takes
    images = images[:, None] if entry("models", kind).data_layout == "channels" else images
    if takes == ("text",):
        assert model(tokens).shape == (4, 6, 9)
        with pytest.raises((RuntimeError, ValueError)):
            model(images)
    else:
        assert "images" in takes
        output = model(images)
        assert (output["logits"] if isinstance(output, dict) else output).shape == (4, 9)
        with pytest.raises((RuntimeError, ValueError)):
            model(tokens)


OF_SEQUENCES = ("transformers", "lstm")
"""What takes tokens or images, by what it is built for."""


def test_what_every_model_takes_is_known() -> None:
    # A frozen backbone takes what its backbone takes, but text.
    frozen = {e.kind for e in CATALOGUE.entries if e.frozen_parts is not None}
    # What these two take are columns, which they ask for by name.
    elsewhere = {"sequence", "seq2seq", "recurrent_autoencoder", "timm", "torchvision", *OF_SEQUENCES, "tabm"}
    assert set(REGISTRY["models"]) - set(SIZES) == frozen | elsewhere
    assert all("text" not in entry("models", kind).takes for kind in frozen)


@pytest.mark.parametrize(
    "kind", [e.kind for e in CATALOGUE.entries if e.group == "normalizers" and e.takes != ("images",)]
)
def test_what_pools_columns_mixes_them(kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    first_columns = []
    for scale in (1, 1000):
        scaled = x * np.float32([1, scale])
        normalizer = build("normalizers", {"kind": kind})
        normalizer.fit(scaled)
        first_columns.append(normalizer(scaled)[:, 0])
    is_mixed = not np.allclose(*first_columns, atol=1e-4)
    assert is_mixed == (entry("normalizers", kind).pools_columns is not None)


@pytest.mark.parametrize("described", CATALOGUE.entries, ids=lambda each: f"{each.group}-{each.kind}")
def test_the_object_says_what_the_catalogue_says(described: ComponentEntry) -> None:
    component = load_component(described.group, described.kind)
    for name in DECLARED:
        stated = inspect.getattr_static(component, name, None) or getattr(component, name, None)
        recorded = getattr(described, name)
        assert (tuple(stated) if isinstance(stated, list) else stated) == (recorded or None)
