"""A trial with next to nothing to train, as a model of one's own and as a loop written by hand: what is left is overhead."""

import csv
import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NUM_SAMPLES = 60


class Nothing(nn.Module):
    """Two weights for each class."""

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(num_features, num_classes)

    def forward(self, x_BF: Tensor) -> Tensor:
        """Logits (B, C)."""
        return self.layer(x_BF)


def write_data(path: Path) -> None:
    """Two features and two classes."""
    numbers = random.Random(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["x", "y", "label"])
        lines.writerows([f"{numbers.random():.3f}", f"{numbers.random():.3f}", i % 2] for i in range(NUM_SAMPLES))


def spec(num_trials: int) -> dict[str, Any]:
    """One epoch of one step."""
    return {
        "craftc": 1,
        "name": "nothing",
        "data": {"source": {"kind": "csv", "path": "nothing.csv", "target": "label"}},
        "model": {"kind": "nothing:Nothing", "num_features": "infer", "num_classes": "infer"},
        "objective": {"kind": "cross_entropy", "metrics": ["accuracy"]},
        "training": {"epochs": 1, "batch_size": 64, "optimizer": {"kind": "adamw", "lr": 1e-2}},
        "ablation": {"seeds": num_trials},
    }


def trained(trial: dict[str, Any]) -> dict[str, float]:
    """The same training by hand: an epoch, then every split measured. Nothing is written."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((NUM_SAMPLES, 2), generator=generator)
    y = torch.arange(NUM_SAMPLES) % 2
    train, valid, test = (slice(0, 36), slice(36, 48), slice(48, 60))
    torch.manual_seed(trial["seed"])
    model = Nothing(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    optimizer.zero_grad(set_to_none=True)
    F.cross_entropy(model(x[train]), y[train]).backward()
    optimizer.step()
    model.eval()
    found = {}
    with torch.inference_mode():
        for name, split in (("train", train), ("valid", valid), ("test", test)):
            logits = model(x[split])
            found[f"{name}/loss"] = float(F.cross_entropy(logits, y[split]))
            found[f"{name}/accuracy"] = float((logits.argmax(1) == y[split]).double().mean())
    return found
