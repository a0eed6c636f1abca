"""A LightningModule: a convolutional network that reads digits, and how it is trained."""

import lightning
import torch
from torch import Tensor, nn


class DigitNet(lightning.LightningModule):
    """Reads images (B, 1, 8, 8) of digits."""

    def __init__(self, lr: float = 3e-3, channels: int = 16, dropout: float = 0.2, schedule: str = "plateau") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(8 * channels, 10),
        )  # fmt: skip

    def training_step(self, batch: list[Tensor]) -> Tensor:
        return self.measured(batch, "train")

    def validation_step(self, batch: list[Tensor]) -> None:
        self.measured(batch, "val")

    def test_step(self, batch: list[Tensor]) -> None:
        self.measured(batch, "test")

    def measured(self, batch: list[Tensor], split: str) -> Tensor:
        x_BCHW, targets_B = batch
        logits_BC = self.layers(x_BCHW)
        loss = nn.functional.cross_entropy(logits_BC, targets_B)
        accuracy = (logits_BC.argmax(1) == targets_B).float().mean()
        self.log_dict({f"{split}_loss": loss, f"{split}_accuracy": accuracy}, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        if self.hparams.schedule == "cosine":
            return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)}
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "val_loss"}}
