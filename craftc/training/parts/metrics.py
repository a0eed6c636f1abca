"""Builds the metrics of a spec, and says what defines each."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torchmetrics import Metric as TorchMetric

from craftc.components.build import build
from craftc.schemas.catalogue import is_own, short_name
from craftc.training.data.prepare import PreparedData, infer_facts
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.objective import predictions


@runtime_checkable
class Metric(Protocol):
    """A metric: torchmetrics' own, or anything with these three methods."""

    def reset(self) -> None:
        """Forget every prediction."""
        ...

    def update(self, logits_MC: Tensor, targets_M: Tensor) -> None:
        """Take in the predictions of a batch: logits (M, C), class numbers (M,)."""
        ...

    def compute(self) -> Any:
        """One number of all predictions since `reset`."""
        ...


@dataclass(frozen=True)
class MetricSet:
    """`metrics` by name, on the device; `identities` says of every name, and of `loss`, all that defines it."""

    metrics: dict[str, Metric]
    identities: dict[str, str]


def build_metrics(setting: Mapping[str, Any], objective: nn.Module, data: PreparedData, logits: Tensor) -> MetricSet:
    """From the section `objective`, on the device of `logits`, those of the first samples of train; a metric of the
    user's own is tried on them, and named without its module.

    Raises DataError, TrainingError `metrics-not-buildable` and `metric-failed`.
    """
    num_classes = len(data.class_names)
    metrics: dict[str, Metric] = {}
    inferred = infer_facts(setting, data.facts, "objective", reserved=["metrics"])
    identities = {"loss": _identity(objective, _spelt_out(inferred, type(objective).__name__))}
    for index, written in enumerate(setting["metrics"]):
        name = short_name(written["kind"])
        inferred = infer_facts(written, data.facts, f"objective.metrics.{index}")
        metrics[name] = _build(inferred, num_classes, logits.device)
        if is_own(written["kind"]):
            _try(name, metrics[name], logits, torch.from_numpy(data.splits["train"].targets[: len(logits)]))
        identities[name] = _identity(metrics[name], _spelt_out(inferred, f"{name}, {num_classes} classes"))
    return MetricSet(metrics, identities)


def computed(name: str, metric: Metric) -> float:
    """The metric's number. Raises TrainingError `metric-failed`."""
    with errors_of(f"metric {name}", code="metric-failed"):
        value = metric.compute()
    return _number(name, value)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        message = f"metric {name} computed {described(value)}; expected one number"
        raise TrainingError("metric-failed", message) from None


def _try(name: str, metric: Metric, logits: Tensor, targets: Tensor) -> None:
    """Raise where it does not take such logits and targets, or does not make one number of them.

    To compute, it may need more samples than these; what it says of few is then nothing against it.
    """
    logits_MC, targets_M = predictions(logits, targets.to(logits.device))
    on = f"metric {name} on logits {tuple(logits_MC.shape)} and targets {tuple(targets_M.shape)}"
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        with errors_of(on, code="metric-failed", hint=GUIDE):
            metric.reset()
            metric.update(logits_MC, targets_M)
        try:
            value = metric.compute()
        except Exception:
            value = None
    if value is not None:
        _number(name, value)
    metric.reset()


def _build(setting: Mapping[str, Any], num_classes: int, device: torch.device) -> Metric:
    with errors_of("metrics", code="metrics-not-buildable"):
        metric = build("metrics", setting, num_classes)
        if isinstance(metric, nn.Module):
            metric = metric.to(device)
    if not isinstance(metric, Metric):
        message = f"metric {setting['kind']} gave {described(metric)}; expected reset, update and compute"
        raise TrainingError("metrics-not-buildable", message)
    for module in metric.modules() if isinstance(metric, nn.Module) else ():
        if isinstance(module, TorchMetric):
            # Each worker of a group measures all samples, so there is nothing to add up over workers.
            module.sync_on_compute = False
    return metric


def _identity(measure: object, otherwise: str) -> str:
    """What the component says of itself; a user's own may say nothing."""
    return str(getattr(measure, "identity", otherwise))


def _spelt_out(setting: Mapping[str, Any], otherwise: str) -> str:
    """A component of the user's own by its kind and arguments, which together define it."""
    if not is_own(setting["kind"]):
        return otherwise
    arguments = [f"{name} {value}" for name, value in setting.items() if name != "kind"]
    return ", ".join([setting["kind"], *arguments])
