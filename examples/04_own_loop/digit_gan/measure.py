"""The images, and how far generated ones are from those that were held out."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor


def load_images() -> tuple[Tensor, Tensor]:
    """Images (N, 64) of values from 0 to 1, to train on and held out."""
    images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order[360:]], images[order[:360]]


def frechet_distance(images: Tensor, others: Tensor) -> float:
    """The Frechet distance between two sets of images (N, F), as normal distributions (Heusel et al., 2017)."""
    (mean, covariance), (other_mean, other_covariance) = (_normal(each.double()) for each in (images, others))
    roots = torch.linalg.eigvals(covariance @ other_covariance).real.clamp(min=0).sqrt()
    apart = ((mean - other_mean) ** 2).sum()
    return float(apart + covariance.trace() + other_covariance.trace() - 2 * roots.sum())


def _normal(x_NF: Tensor) -> tuple[Tensor, Tensor]:
    return x_NF.mean(0), x_NF.T.cov()
