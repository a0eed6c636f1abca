"""Transforms of torchvision v2 that keep the shape of an image augment by their names, each image by itself."""

from typing import Any

import pytest
import torch

from craftc.components.torchvision_operators import expect_torchvision
from craftc.training.parts.augmentations import build_augmentations

expect_torchvision()
from torchvision.transforms import v2  # noqa: E402

SHAPED: dict[str, dict[str, Any]] = {
    "AugMix": {},
    "AutoAugment": {},
    "ColorJitter": {"brightness": 0.5, "hue": 0.2},
    "ElasticTransform": {"alpha": 30.0, "sigma": 3.0},
    "GaussianBlur": {"kernel_size": 3},
    "GaussianNoise": {},
    "RandAugment": {},
    "RandomAdjustSharpness": {"sharpness_factor": 3.0},
    "RandomAffine": {"degrees": 30},
    "RandomAutocontrast": {},
    "RandomChannelPermutation": {},
    "RandomCrop": {"size": 16, "padding": 2},
    "RandomEqualize": {},
    "RandomErasing": {},
    "RandomGrayscale": {"p": 0.5},
    "RandomHorizontalFlip": {},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPhotometricDistort": {},
    "RandomPosterize": {"bits": 2},
    "RandomResizedCrop": {"size": 16},
    "RandomRotation": {"degrees": 30},
    "RandomSolarize": {"threshold": 0.5},
    "RandomVerticalFlip": {},
    "TrivialAugmentWide": {},
}
UNFIT = {
    "CutMix", "MixUp",  # they mix targets: mixup and cutmix of craftc's own
    "FiveCrop", "TenCrop", "RandomShortestSize", "RandomResize", "ScaleJitter", "RandomZoomOut",  # other shapes
    "RandomIoUCrop",  # of boxes
    "RandomApply", "RandomChoice", "RandomOrder",  # of several transforms
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPED)
def test_by_name_for_each_image(name: str) -> None:
    x_BCHW = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).expand(12, -1, -1, -1).clone()
    setting = {"kind": f"torchvision.transforms.v2:{name}", "when": "before_normalize", **SHAPED[name]}
    augment = build_augmentations([setting], x_BCHW, None, torch.float32)
    changed, again = augment(x_BCHW, seed=0, step=3), augment(x_BCHW, seed=0, step=3)
    assert changed.shape == x_BCHW.shape
    torch.testing.assert_close(changed, again)
    # Twelve copies of one image, each with numbers of its own.
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 1


def test_the_list_is_whole() -> None:
    """Of what torchvision calls random, or a policy, nothing is passed over."""
    policies = {"AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"}
    others = {"ColorJitter", "ElasticTransform", "GaussianBlur", "GaussianNoise", "CutMix", "MixUp"}
    found = (
        {name for name in dir(v2) if name.startswith("Random")}
        | policies
        | others
        | {"FiveCrop", "TenCrop", "ScaleJitter"}
    )
    assert found == set(SHAPED) | UNFIT
