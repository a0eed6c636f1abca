"""A LightningDataModule: the digits of scikit-learn in three splits."""

import lightning
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split


class Digits(lightning.LightningDataModule):
    """1,797 grey images of 8 times 8 pixels."""

    def __init__(self, batch_size: int = 64) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        images, targets = load_digits(return_X_y=True)
        x_NCHW = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
        data = TensorDataset(x_NCHW, torch.tensor(targets))
        generator = torch.Generator().manual_seed(0)
        self.train, self.valid, self.test = random_split(data, [1077, 360, 360], generator)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.valid, 360)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, 360)
