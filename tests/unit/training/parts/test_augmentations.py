"""What a batch goes through before the model: changes of samples as the source gives them, normalization, others."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.func import vmap

from craftc.training.data.normalize import NormalizeBatch
from craftc.training.data.prepare import PreparedData, prepare
from craftc.training.parts.augmentations import Augmentations, build_augmentations, leaves_range

MODULE = '''
import random
import torch

class Divides:
    def __call__(self, x):
        return x / 0

class Clamps:
    """As transforms of images do: what is not between 0 and 1 is lost."""
    def __call__(self, x):
        return x.clamp(0, 1)

class OneCoin:
    """Draws once for all that it is given."""
    def __call__(self, x):
        return x.flip(-1) if random.random() < 0.5 else x

class OneCoinOfTorch:
    def __call__(self, x):
        return x.flip(-1) if torch.rand(()) < 0.5 else x

class OneDraw:
    def __call__(self, x, generator):
        return x + torch.rand((), generator=generator)

class Shift:
    def __call__(self, x):
        return x + 100

class Median:
    """A normalizer of the user's own."""
    def fit(self, x_train):
        import numpy as np
        self.median = np.median(x_train)

    def __call__(self, x):
        return x - self.median
'''
SPLITS = {"train": 0.5, "valid": 0.5, "stratify": True, "seed": 0}
NORMALIZERS = ["none", "per_line", "per_dataset", "per_feature"]


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_augment.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def prepared(augment: list[dict[str, Any]], normalize: str = "per_dataset", **settings: Any) -> PreparedData:
    data = {"source": {"kind": "digits", "line_drift": 0.0, "imbalance": 1.0, "seed": 0}, "splits": SPLITS}
    return prepare(data | {"layout": "source", "normalize": {"kind": normalize}, "augment": augment} | settings)


def built(data: PreparedData, augment: list[dict[str, Any]]) -> tuple[Augmentations, torch.Tensor]:
    """The augmentations, and a batch of what they are given."""
    x = torch.from_numpy(data.train.inputs[:32].copy())
    normalize = None if data.augmented is None else data.augmented.normalize
    return build_augmentations(augment, x[:2], normalize, torch.float32), x


@pytest.mark.parametrize("layout", ["source", "channels", "lines", "flat"])
@pytest.mark.parametrize("normalize", [*NORMALIZERS, "own_augment:Median"])
def test_a_transform_of_images_gets_images_from_0_to_1(normalize: str, layout: str) -> None:
    augment = [{"kind": "own_augment:Clamps", "when": "before_normalize"}]
    data = prepared(augment, normalize, layout=layout)
    augmentations, x = built(data, augment)
    assert x.shape == ((32, 1, 8, 8) if layout == "channels" else (32, 8, 8))
    assert (float(x.min()), float(x.max())) == (0, 1)
    given = augmentations(x, seed=0, step=0)
    np.testing.assert_allclose(given.numpy(), data.splits["train"].inputs[:32], rtol=0, atol=2e-7)
    assert given.dtype == torch.float32
    assert augmentations.are_keyed is False


def test_behind_the_normalization_it_gets_what_the_model_would_get() -> None:
    augment = [{"kind": "own_augment:Clamps", "when": "after_normalize"}]
    data = prepared(augment)
    assert data.augmented is None
    augmentations, x = built(data, augment)
    given = augmentations(x, seed=0, step=0)
    torch.testing.assert_close(given, torch.from_numpy(data.splits["train"].inputs[:32]).clamp(0, 1))


def test_both_have_their_place_whatever_the_order_of_the_list() -> None:
    shift, clamp = {"kind": "own_augment:Shift", "when": "after_normalize"}, {"kind": "own_augment:Clamps"}
    data = prepared([shift, clamp])
    augmentations, x = built(data, [shift, clamp])
    expected = torch.from_numpy(data.splits["train"].inputs[:32]) + 100
    torch.testing.assert_close(augmentations(x, seed=0, step=0), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["OneCoin", "OneCoinOfTorch"])
def test_each_sample_has_a_coin_of_its_own(kind: str) -> None:
    augment = [{"kind": f"own_augment:{kind}"}]
    augmentations, x = built(prepared(augment, "none"), augment)
    given = augmentations(x, seed=0, step=0)
    flipped = [not torch.equal(a, b) for a, b in zip(given, x, strict=True)]
    assert 8 <= sum(flipped) <= 24
    assert all(torch.equal(a, b.flip(-1)) for a, b, is_flipped in zip(given, x, flipped, strict=True) if is_flipped)
    again, other_step, other_seed = (augmentations(x, seed=s, step=t) for s, t in ((0, 0), (0, 1), (1, 0)))
    assert torch.equal(given, again)
    assert not torch.equal(given, other_step)
    assert not torch.equal(given, other_seed)
    # By its place, and not by how many there are.
    assert torch.equal(augmentations(x[:5], seed=0, step=0), given[:5])


def test_each_sample_and_each_augmentation_draws_other_numbers_of_a_generator() -> None:
    augment = [{"kind": "own_augment:OneDraw"}, {"kind": "own_augment:OneDraw"}]
    augmentations, x = built(prepared(augment, "none"), augment)
    zero = torch.zeros_like(x)
    sums = augmentations(zero, seed=0, step=0)[:, 0, 0].tolist()
    once, _ = built(prepared(augment[:1], "none"), augment[:1])
    firsts = once(zero, seed=0, step=0)[:, 0, 0].tolist()
    assert len(set(firsts)) == 32
    assert len({round(total - first, 5) for total, first in zip(sums, firsts, strict=True)}) == 32
    assert all(abs(total - 2 * first) > 1e-6 for total, first in zip(sums, firsts, strict=True))


@pytest.mark.parametrize("layout", ["source", "lines", "flat"])
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_a_batch_of_trials_is_normalized_as_each_alone(normalize: str, layout: str) -> None:
    augment = [{"kind": "gaussian_noise", "std": 0.1, "p": 0.5}]
    augmentations, x = built(prepared(augment, normalize, layout=layout), augment)
    assert augmentations.are_keyed
    keys = torch.tensor([[[3], [4]], [[5], [6]]], dtype=torch.int32)

    def changed(x_B, key):
        return augmentations.by_key({"x": x_B}, "x", key)["x"]

    together = vmap(changed)(torch.stack([x, x]), (keys[:, 0], keys[:, 1]))
    alone = [changed(x, (int(key[0]), int(key[1]))) for key in keys]
    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=1e-6)


def test_a_table_keeps_its_64_bits_until_it_is_normalized(tmp_path: Path) -> None:
    file = tmp_path / "offset.npz"
    rng = np.random.default_rng(0)
    targets = np.arange(200) % 2
    inputs = 1e9 + 1e-3 * (targets[:, None] + 0.1 * rng.normal(size=(200, 2)))
    np.savez(file, inputs=inputs, targets=targets)
    augment = [{"kind": "own_augment:OneCoin"}]
    source = {"kind": "arrays", "path": str(file), "inputs": "inputs", "targets": "targets"}
    data = prepared(augment, "per_feature", source=source)
    assert data.train.inputs.dtype == np.float64
    augmentations, x = built(data, augment)
    given = augmentations(x, seed=0, step=0).numpy()
    flipped = np.array([not np.allclose(a, b) for a, b in zip(given, data.splits["train"].inputs[:32], strict=True)])
    assert 0 < flipped.sum() < 32
    np.testing.assert_allclose(given[~flipped], data.splits["train"].inputs[:32][~flipped], atol=1e-5)
    assert given.std() > 0.5


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_what_is_prepared_is_the_same_with_and_without(normalize: str) -> None:
    plain, augmented = prepared([], normalize), prepared([{"kind": "horizontal_flip", "p": 0.5}], normalize)
    assert plain.augmented is None
    assert augmented.augmented is not None
    assert isinstance(augmented.augmented.normalize, NormalizeBatch)
    for name, split in plain.splits.items():
        np.testing.assert_array_equal(split.inputs, augmented.splits[name].inputs)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"kind": "own_augment:Shift"}, "turns values from 0 to 1 into values from 100 to 101: is it meant for other"),
        ({"kind": "own_augment:Shift", "when": "after_normalize"}, r"turns values from -0\.8\d* to 1\.8"),
        ({"kind": "gaussian_noise", "std": 0.5, "p": 1.0}, "turns values from 0 to 1 into"),
        ({"kind": "gaussian_noise", "std": 0.05, "p": 1.0}, None),
        ({"kind": "own_augment:Clamps"}, None),
        ({"kind": "own_augment:Divides"}, "turns values from 0 to 1 into NaN or infinity"),
        ({"kind": "line_dropout", "p": 0.5, "when": "after_normalize"}, None),
    ],
)
def test_what_leaves_the_range_of_its_inputs_is_named(setting: dict[str, Any], sentence: str | None) -> None:
    data = prepared([setting])
    augmentations, x = built(data, [setting])
    told = leaves_range(augmentations, x, torch.from_numpy(data.splits["train"].inputs[:32]))
    assert (told is None) == (sentence is None)
    assert sentence is None or re.search(sentence, told or "")
    assert told is None or told.startswith(f"augmentation {setting['kind']} ")
