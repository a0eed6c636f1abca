"""Augmentations that are torchvision's own, under short names: policies of many changes, and some that have no form for
a whole batch.

Each is called with one image at a time, and so draws for each by itself: 0.1 to 1 ms an image on a CPU. They draw from
the global generators, which are seeded for every image. All take images from 0 to 1 with 1 or 3 channels.
"""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from torch import Tensor

from craftc.components.augmentations.images import check_channels
from craftc.components.bounds import PositiveInt, Probability
from craftc.components.declare import declares

Magnitude = Annotated[int, Ge(0), Le(30)]


class OneImage:
    """One of torchvision's transforms, for images as craftc has them."""

    draws_apart = True
    unit_range = True

    def __init__(self, name: str, transform: Any) -> None:
        self._name, self._transform = name, transform

    def __call__(self, x: Tensor) -> Tensor:
        """Change (1, H, W) or (1, C, H, W)."""
        check_channels(self._name, x, 1, 3)
        changed: Tensor = self._transform(x[:, None] if x.dim() == 3 else x)
        return changed.reshape(x.shape)


@declares(takes=("images",), packages={"torchvision": "vision"})
def auto_augment(*, policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet") -> OneImage:
    """AutoAugment (Cubuk et al. 2019): two changes of an image, by one of 25 pairs that were searched for.

    Args:
        policy: The data set that the pairs were searched on.
    """
    from torchvision.transforms import v2

    return OneImage("auto_augment", v2.AutoAugment(v2.AutoAugmentPolicy(policy)))


@declares(
    takes=("images",),
    packages={"torchvision": "vision"},
    search_ranges={"num_ops": {"int": [1, 4]}, "magnitude": {"int": [3, 15]}},
)
def rand_augment(*, num_ops: PositiveInt = 2, magnitude: Magnitude = 9) -> OneImage:
    """RandAugment (Cubuk et al. 2020): a number of changes of an image, all of one strength.

    Args:
        num_ops: Changes of an image, drawn from 14.
        magnitude: Their strength.
    """
    from torchvision.transforms import v2

    return OneImage("rand_augment", v2.RandAugment(num_ops=num_ops, magnitude=magnitude))


@declares(takes=("images",), packages={"torchvision": "vision"})
def trivial_augment() -> OneImage:
    """TrivialAugment (Mueller and Hutter 2021): one change of an image, of any strength. It has nothing to tune."""
    from torchvision.transforms import v2

    return OneImage("trivial_augment", v2.TrivialAugmentWide())


@declares(
    takes=("images",),
    packages={"torchvision": "vision"},
    search_ranges={"severity": {"int": [1, 10]}},
)
def aug_mix(*, severity: Annotated[int, Ge(1), Le(10)] = 3, width: PositiveInt = 3) -> OneImage:
    """AugMix (Hendrycks et al. 2020): an image mixed with chains of changes of itself.

    Args:
        severity: Strength of the changes.
        width: Number of chains.
    """
    from torchvision.transforms import v2

    return OneImage("aug_mix", v2.AugMix(severity=severity, mixture_width=width))


@declares(
    takes=("images",),
    packages={"torchvision": "vision"},
    search_ranges={"distortion": {"uniform": [0.0, 0.6]}},
)
def random_perspective(*, distortion: Probability = 0.5, p: Probability = 0.5) -> OneImage:
    """Shows an image from another point of view; what comes in from beyond its edge is 0.

    Args:
        distortion: How far the corners are moved at most, as a share of half the image.
        p: Probability that an image is changed at all.
    """
    from torchvision.transforms import v2

    return OneImage("random_perspective", v2.RandomPerspective(distortion_scale=distortion, p=p))
