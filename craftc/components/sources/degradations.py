"""Simulates faults of a measurement on samples, by a seed."""

from dataclasses import replace

import numpy as np

from craftc.components.sources.samples import Samples

_DRIFT_STREAM, _IMBALANCE_STREAM = 1, 2


def degrade(samples: Samples, *, line_drift: float, imbalance: float, seed: int) -> Samples:
    """Drift first, so that an image's drift does not depend on which others are kept."""
    return with_imbalance(with_line_drift(samples, line_drift, seed), imbalance, seed)


def with_line_drift(samples: Samples, line_drift: float, seed: int) -> Samples:
    """Add to each image line an offset that follows a random walk down the lines of its image.

    A scanning probe records an image line by line while probe and sample drift apart (thermal drift, creep), so
    that a line's mean says little about the sample. The walk has independent normal steps, the first line included,
    and is shared by the channels of an image.

    Args:
        samples: Images, (N, H, W) or (N, C, H, W).
        line_drift: Standard deviation of a step in units of the images' range (largest minus least value of all).
        seed: Seed of the walks.
    """
    if line_drift == 0:
        return samples
    inputs = samples.inputs
    steps = _random_state(seed, _DRIFT_STREAM).standard_normal((len(inputs), inputs.shape[-2]))
    # Rounding hides the last bit, in which the logarithms of C libraries differ.
    walks = np.cumsum(np.round(steps, 6), axis=1) * line_drift * float(np.ptp(inputs))
    offsets = walks.reshape(len(inputs), *[1] * (inputs.ndim - 3), inputs.shape[-2], 1)
    return replace(samples, inputs=(inputs + offsets).astype(np.float32))


def with_imbalance(samples: Samples, imbalance: float, seed: int) -> Samples:
    """Drop samples until class frequencies decay geometrically from the first class to the last.

    The long tail of Cui et al. (2019), "Class-Balanced Loss Based on Effective Number of Samples": class k of C keeps
    n_0 * imbalance^(-k / (C - 1)) samples. Unlike there, n_0 is the largest number that the rarest classes allow.

    Args:
        samples: Samples of any shape.
        imbalance: Samples of the most frequent class over those of the rarest; 1 leaves everything as it is.
        seed: Seed of the choice which samples stay; their order stays.
    """
    num_classes = len(samples.class_names)
    if imbalance == 1 or num_classes < 2:
        return samples
    available = np.bincount(samples.targets, minlength=num_classes)
    decay = imbalance ** (-np.arange(num_classes) / (num_classes - 1))
    kept = np.maximum(np.round((available / decay).min() * decay), 1).astype(int)
    order = _random_state(seed, _IMBALANCE_STREAM).permutation(len(samples.targets))
    chosen = [order[samples.targets[order] == label][:count] for label, count in enumerate(kept)]
    indices = np.sort(np.concatenate(chosen))
    return replace(samples, inputs=samples.inputs[indices], targets=samples.targets[indices])


def _random_state(seed: int, stream: int) -> np.random.RandomState:
    # RandomState, because its streams are frozen across numpy versions, which a Generator's are not (NEP 19).
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, stream])))
