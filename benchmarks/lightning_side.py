"""A model, its optimizer and a DataLoader in; epochs that Lightning's Trainer trained, timed, out."""

import tempfile
from collections.abc import Iterator
from typing import Any

import lightning
import torch
from by_hand import Stopwatch, Trained
from torch import Tensor, nn
from torch.nn import functional as F


class Module(lightning.LightningModule):
    """What a user of Lightning writes."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        super().__init__()
        self.model = model
        self._optimizer = optimizer

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of a batch, logged as in Lightning's own examples."""
        inputs, targets = batch
        loss = F.cross_entropy(self.model(inputs), targets)
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The same through all calls of `fit`."""
        return self._optimizer


class BareModule(Module):
    """The same; a barebones Trainer refuses to log."""

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The loss of a batch."""
        inputs, targets = batch
        return F.cross_entropy(self.model(inputs), targets)


class Times(lightning.Callback):
    """Times each epoch, and adds up its losses."""

    def __init__(self) -> None:
        self.trained: list[Trained] = []

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Begin."""
        self._watch, self._total, self._num = Stopwatch(), torch.zeros((), device=module.device), 0

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Add up, as the loops do."""
        self._total += outputs["loss"].detach() * len(batch[1])
        self._num += len(batch[1])

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """End."""
        loss = self._total.item() / self._num
        self.trained.append(Trained(self._watch.read(), loss))


def epochs(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Any, *, clip: float, bare: bool, device: str
) -> Iterator[Trained]:
    """Two epochs of each `fit`, for what is warm in the second is what counts."""
    module = (BareModule if bare else Module)(model, optimizer)
    with tempfile.TemporaryDirectory() as folder:
        while True:
            times = Times()
            trainer = lightning.Trainer(
                max_epochs=2,
                accelerator="cpu" if device == "cpu" else "gpu",
                devices=1,
                gradient_clip_val=clip,
                default_root_dir=folder,
                callbacks=[times],
                barebones=bare,
            )
            trainer.fit(module, loader)
            yield from times.trained
