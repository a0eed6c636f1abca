"""Makes images of two digits each from images of one, for several labels of an image and for a class of each pixel.

N: pairs, H and W: lines and columns of one digit's image.
"""

import numpy as np

from craftc.components.bounds import Seed
from craftc.components.declare import declares
from craftc.components.sources.bundled import digits
from craftc.components.sources.columns import Column, Columns

_INK = 0.25
"""The grey value from which a pixel counts as ink: of 16 steps the fifth."""
_NAMES = tuple("0123456789")


@declares(
    gives=("images",),
    gives_targets=("class", "classes"),
    gives_columns=("x",),
    facts={
        "num_samples": 898,
        "num_features": 128,
        "num_lines": 8,
        "line_length": 16,
        "num_channels": 1,
        "image_height": 8,
        "image_width": 16,
    },
)
def digit_pairs(*, seed: Seed = 0) -> Columns:
    """898 grey 8x16 images of two handwritten digits side by side, scaled to 0..1 (scikit-learn's, each used once).

    It has two targets, of which `data.target` names one. `labels`: which of the ten digits are in the image, one or
    two. `pixels`: for each pixel background, or the digit whose ink it is, (8, 16); ink is what is a quarter black.

    Args:
        seed: Seed of which digits are paired; no image of a digit is in two pairs.
    """
    single = digits()
    num = len(single) // 2
    # RandomState, whose streams are frozen across numpy versions.
    order = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed))).permutation(len(single))
    left, right = order[:num], order[num : 2 * num]
    images_NHW = np.concatenate([single.inputs[left], single.inputs[right]], axis=2)
    labels = np.zeros((num, len(_NAMES)), dtype=np.float32)
    for side in (left, right):
        labels[np.arange(num), single.targets[side]] = 1
    width = single.inputs.shape[2]
    digit_NW = np.repeat(np.stack([single.targets[left], single.targets[right]], axis=1), width, axis=1)
    pixels_NHW = np.where(images_NHW >= _INK, digit_NW[:, None] + 1, 0).astype(np.int64)
    return Columns(
        {
            "x": Column(images_NHW, "real"),
            "labels": Column(labels, "classes", "target", _NAMES),
            "pixels": Column(pixels_NHW, "class", "target", ("background", *_NAMES)),
        }
    )
