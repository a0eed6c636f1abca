"""Digits as sequences of tokens: the grey values of an image of 4 times 4 pixels, row by row."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset

NUM_TOKENS, LENGTH = 17, 16
SPLITS = {"train": slice(0, 1077), "valid": slice(1077, 1437), "test": slice(1437, 1797)}


class DigitTokens(Dataset):
    """One split, as a model of sequences takes it."""

    def __init__(self, split: str) -> None:
        images, self.labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(images))[SPLITS[split]]
        pooled = images[order].reshape(-1, 4, 2, 4, 2).mean((2, 4)).round()
        self.tokens, self.labels = torch.tensor(pooled.reshape(-1, LENGTH)).long(), self.labels[order]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> dict:
        return {"input_ids": self.tokens[index], "labels": int(self.labels[index])}
