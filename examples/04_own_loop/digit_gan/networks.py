"""The two networks: one makes images of 8 times 8 pixels out of noise, the other tells them from real ones."""

from torch import nn


def generator(num_inputs: int, width: int = 128) -> nn.Module:
    """From noise (B, num_inputs) to images (B, 64) of values from 0 to 1."""
    return nn.Sequential(
        nn.Linear(num_inputs, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, 64), nn.Sigmoid(),
    )  # fmt: skip


def discriminator(width: int = 128) -> nn.Module:
    """From images (B, 64) to the logit (B, 1) that they are real."""
    return nn.Sequential(
        nn.Linear(64, width), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Linear(width, 1),
    )  # fmt: skip
