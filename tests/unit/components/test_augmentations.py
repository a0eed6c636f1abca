"""Augmentations: per sample, seeded, and at the stated rate."""

from typing import Any

import pytest
import torch
from torch import Tensor

from craftc.components.build import build
from craftc.components.numbers import Numbers

ALL: list[dict[str, Any]] = [
    {"kind": "horizontal_flip", "p": 0.5},
    {"kind": "vertical_flip", "p": 0.5},
    {"kind": "gaussian_noise", "std": 0.3, "p": 0.5},
    {"kind": "line_dropout", "p": 0.3},
]
IMAGES = torch.arange(1.0, 400 * 2 * 3 * 4 + 1).reshape(400, 2, 3, 4)


def augment(component: dict[str, Any], x: Tensor, seed: int = 0) -> Tensor:
    augmented: Tensor = build("augmentations", component)(x, Numbers((seed, 0), x.device))
    return augmented


@pytest.mark.parametrize("component", ALL, ids=lambda c: c["kind"])
@pytest.mark.parametrize("shape", [(400, 3, 4), (400, 2, 3, 4)])
def test_shape_seed_and_input_left_alone(component: dict[str, Any], shape: tuple[int, ...]) -> None:
    x = IMAGES.flatten()[: torch.Size(shape).numel()].reshape(shape)
    before = x.clone()
    first, again, other = (augment(component, x, seed) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == (x.shape, x.dtype)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, before)


@pytest.mark.parametrize("component", ALL, ids=lambda c: c["kind"])
def test_samples_are_changed_independently_and_p_0_changes_nothing(component: dict[str, Any]) -> None:
    changed = (augment(component, IMAGES) != IMAGES).flatten(1).any(1).float().mean()
    assert 0.3 < changed < 0.8
    assert torch.equal(augment({**component, "p": 0.0}, IMAGES), IMAGES)


@pytest.mark.parametrize(("kind", "axis"), [("horizontal_flip", -1), ("vertical_flip", -2)])
def test_flips_mirror_the_right_axis(kind: str, axis: int) -> None:
    assert torch.equal(augment({"kind": kind, "p": 1.0}, IMAGES), IMAGES.flip(axis))
    with pytest.raises(ValueError, match="needs images"):
        augment({"kind": kind}, torch.zeros(3, 4))


def test_noise_has_the_stated_deviation_on_tables_too() -> None:
    noise = augment({"kind": "gaussian_noise", "std": 0.3}, torch.zeros(500, 40))
    assert abs(noise.std().item() - 0.3) < 0.01


def test_line_dropout_zeroes_whole_lines_in_all_channels_at_the_stated_rate() -> None:
    zero = augment({"kind": "line_dropout", "p": 0.3}, IMAGES) == 0
    lines = zero.any(-1).any(1)
    assert torch.equal(zero, lines[:, None, :, None].expand_as(zero))
    assert abs(lines.float().mean().item() - 0.3) < 0.05
    assert abs((augment({"kind": "line_dropout", "p": 0.3}, torch.ones(500, 8)) == 0).float().mean() - 0.3) < 0.03


@pytest.mark.parametrize("component", ALL, ids=lambda c: c["kind"])
def test_under_vmap_each_trial_gets_what_it_gets_alone(component: dict[str, Any]) -> None:
    augmentation = build("augmentations", component)
    keys = torch.tensor([[1, 2], [3, 4], [5, 6]], dtype=torch.int32)

    def of_one(x: Tensor, key: Tensor) -> Tensor:
        augmented: Tensor = augmentation(x, Numbers((key[0], key[1]), x.device))
        return augmented

    together = torch.func.vmap(of_one, in_dims=(None, 0))(IMAGES, keys)
    for found, (first, second) in zip(together, keys.tolist(), strict=True):
        assert torch.equal(found, augmentation(IMAGES, Numbers((first, second), IMAGES.device)))
