"""What is measured in every split beside the objective: the metrics of the spec, and what defines each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchmetrics import Metric

from craftc.components.build import build
from craftc.schemas.catalogue import short_name


@dataclass(frozen=True)
class Measures:
    """`metrics` by name, on the device; `identities` says of every name, and of `loss`, all that defines it."""

    metrics: dict[str, Metric]
    identities: dict[str, str]


def build_measures(
    settings: Sequence[Mapping[str, Any]], objective: nn.Module, num_classes: int, device: torch.device
) -> Measures:
    """From `objective.metrics`; a metric is named by its kind."""
    metrics = {short_name(setting["kind"]): build("metrics", setting, num_classes).to(device) for setting in settings}
    for module in (module for metric in metrics.values() for module in metric.modules()):
        if isinstance(module, Metric):
            # Each worker of a team measures all samples, so there is nothing to add up over workers.
            module.sync_on_compute = False
    identities = {kind: _identity(metric, f"{kind}, {num_classes} classes") for kind, metric in metrics.items()}
    return Measures(metrics, {"loss": _identity(objective, type(objective).__name__), **identities})


def _identity(measure: nn.Module, otherwise: str) -> str:
    """What the component says of itself; a user's own may say nothing."""
    return str(getattr(measure, "identity", otherwise))
