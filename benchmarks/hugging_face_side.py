"""A model, its optimizer and its data in; epochs that transformers' Trainer trained, timed, out."""

import tempfile
from collections.abc import Iterator
from typing import Any

import torch
from by_hand import Stopwatch, Trained
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments


class WithLoss(nn.Module):
    """A model as the Trainer wants it: batch in, loss and logits out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The mean loss of a batch."""
        logits = self.model(inputs)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


class Samples(Dataset[dict[str, Tensor]]):
    """Samples by name."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self._inputs, self._targets = inputs.cpu(), targets.cpu()

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"inputs": self._inputs[index], "labels": self._targets[index]}


class Times(TrainerCallback):
    """Times each epoch."""

    def __init__(self) -> None:
        self.seconds: list[tuple[float, float]] = []

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Begin."""
        self._watch = Stopwatch()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """End."""
        self.seconds.append(self._watch.read())


def epochs(
    model: nn.Module, optimizer: torch.optim.Optimizer, train: Any, batch_size: int, *, clip: float, device: str
) -> Iterator[Trained]:
    """Two epochs of each `train`; their mean loss is that of both."""
    with tempfile.TemporaryDirectory() as folder:
        while True:
            times = Times()
            arguments = TrainingArguments(
                output_dir=folder,
                num_train_epochs=2,
                per_device_train_batch_size=batch_size,
                max_grad_norm=clip,
                save_strategy="no",
                report_to="none",
                use_cpu=device == "cpu",
            )
            constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
            trainer = Trainer(
                WithLoss(model),
                arguments,
                train_dataset=Samples(*train),
                callbacks=[times],
                optimizers=(optimizer, constant),
            )
            loss = trainer.train().training_loss
            yield from (Trained(seconds, loss) for seconds in times.seconds)
