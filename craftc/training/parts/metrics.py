"""Builds the metrics of a spec, and says what defines each."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.components.lean_torchmetrics import Metric as TorchMetric
from craftc.components.metrics.torchmetrics_by_name import ByName, is_by_name
from craftc.components.sources.columns import Column
from craftc.schemas.catalogue import is_own, short_name
from craftc.schemas.terms import summands
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import Given, MeasureCall, UnknownColumnError, call_of_measure
from craftc.training.parts.model import Tried
from craftc.training.parts.objective import RESERVED
from craftc.training.parts.terms import Terms, constants_of_losses, parts_of
from craftc.training.parts.trivial import best_constant

MOST_SHOWN = 60
"""Characters of a text that a metric returned."""


@runtime_checkable
class Metric(Protocol):
    """A metric: torchmetrics' own, or anything with these three methods."""

    def reset(self) -> None:
        """Forget every prediction."""
        ...

    def update(self, *given: Tensor, **named: Tensor) -> None:
        """Take in the predictions of a batch: of classes logits (M, C) and class numbers (M,)."""
        ...

    def compute(self) -> Any:
        """One number of all predictions since `reset`."""
        ...


@dataclass(frozen=True)
class MetricSet:
    """`metrics` by name, on the device; `identities` says of every name, and of `loss`, all that defines it.

    `calls` says how each metric is called. `shares` are the names of those that lie between 0 and 1; `trivial` names
    the best constant output of those, `loss` among them, to which such a predictor means something.
    """

    metrics: dict[str, Metric]
    identities: dict[str, str]
    calls: dict[str, MeasureCall]
    shares: tuple[str, ...] = ()
    trivial: Mapping[str, str] = field(default_factory=dict)


def build_metrics(
    setting: Mapping[str, Any], objective: nn.Module, call: MeasureCall, data: PreparedData, tried: Tried
) -> MetricSet:
    """From the section `objective`, whose loss is called so, on the device of the first samples of train; a metric of
    the user's own is tried on their output, and named without its module.

    Raises DataError, TrainingError `metrics-not-buildable` and `metric-failed`.
    """
    train = data.splits["train"]
    num_classes = data.facts.get("num_classes", 0)
    what = f"{num_classes} {'classes' if data.class_names else 'numbers'}"
    metrics: dict[str, Metric] = {}
    calls: dict[str, MeasureCall] = {}
    identities = _identities_of_losses(setting, objective, data)
    for index, written in enumerate(setting["metrics"]):
        name = short_name(written["kind"])
        inferred = infer_facts(written, data.facts, f"objective.metrics.{index}")
        metrics[name] = _build(inferred, num_classes, tried.given.output.device, train.target_column)
        try:
            calls[name] = call_of_measure(metrics[name].update, train, tried.names)
        except UnknownColumnError as error:
            raise TrainingError("metric-failed", f"metric {name} {error}; {GUIDE}") from None
        if is_own(written["kind"]):
            _try(name, metrics[name], calls[name], tried.given)
        identities[name] = _identity(metrics[name], _spelt_out(inferred, f"{name}, {what}"))
    constants: dict[str, str | None] = {}
    # A constant output has nothing else that is asked for by name.
    if not any(asked in tried.names for _, asked in call.named):
        constants |= constants_of_losses(objective, train.target_column)
    for name, metric in metrics.items():
        if not any(asked in tried.names for _, asked in calls[name].named):
            constants[name] = best_constant(metric, train.target_column)
    return MetricSet(
        metrics,
        identities,
        calls,
        shares=tuple(name for name, metric in metrics.items() if _is_share(metric)),
        trivial={name: constant for name, constant in constants.items() if constant is not None},
    )


def _identities_of_losses(setting: Mapping[str, Any], objective: nn.Module, data: PreparedData) -> dict[str, str]:
    """Of `loss`, and of each term that it is a sum of."""
    written = zip(summands(setting).items(), parts_of(objective).items(), strict=True)
    found: dict[str, str] = {}
    for (place, term), (name, part) in written:
        inferred = infer_facts(term, data.facts, ".".join(map(str, place)), reserved=RESERVED)
        found[name] = _identity(part, _spelt_out(inferred, type(part).__name__))
    if not isinstance(objective, Terms):
        return found
    weighed = zip(objective.weights, found.values(), strict=True)
    return {"loss": " + ".join(f"{weight:g} * ({identity})" for weight, identity in weighed), **found}


def computed(name: str, metric: Metric) -> float:
    """The metric's number, of counts in float64. Raises TrainingError `metric-failed`."""
    with errors_of(f"metric {name}", code="metric-failed"):
        try:
            counting = metric.inner if isinstance(metric, ByName) else metric
            value = _of_counts(counting)
            if value is None:
                value = counting.compute()
            if isinstance(metric, ByName):
                value = metric.one_number(value)
        except ZeroDivisionError:
            # What Python's numbers raise where torch's give NaN.
            value = math.nan
    return _number(name, value)


def _of_counts(metric: Metric) -> Any:
    """What a torchmetrics metric that only counts comes to in float64; None of any other.

    torchmetrics divides its counts in float32, which makes 0.9 of nine hits in ten 0.8999999762.
    """
    # Only torchmetrics' own way to compute is known to do with other types of numbers.
    if not isinstance(metric, TorchMetric) or not type(metric).compute.__module__.startswith("torchmetrics."):
        return None
    counts = {name: getattr(metric, name) for name in metric._defaults}
    if not all(isinstance(count, Tensor) and count.dtype in (torch.int32, torch.int64) for count in counts.values()):
        return None
    try:
        for name, count in counts.items():
            setattr(metric, name, count.double())
        return metric.compute()
    except Exception:
        # It uses a count as an index, say, or the device has no float64.
        metric._computed = None
        return None
    finally:
        for name, count in counts.items():
            setattr(metric, name, count)


def _is_share(metric: Metric) -> bool:
    """Whether it says that it lies between 0 and 1, as `bounds` or in torchmetrics' words."""
    ends = (getattr(metric, "plot_lower_bound", None), getattr(metric, "plot_upper_bound", None))
    declared = getattr(metric, "bounds", None)
    try:
        return tuple(ends if declared is None else declared) == (0, 1)
    except TypeError:
        return False


def _number(name: str, value: Any) -> float:
    if isinstance(value, str | bytes):
        # Python would read a number in it.
        message = f"metric {name} computed the text {value[:MOST_SHOWN]!r}; expected one number"
        raise TrainingError("metric-failed", message)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        message = f"metric {name} computed {described(value)}; expected one number"
        raise TrainingError("metric-failed", message) from None


def _try(name: str, metric: Metric, call: MeasureCall, given: Given) -> None:
    """Raise where it does not take such outputs and targets, or does not make one number of them.

    To compute, it may need more samples than these; what it says of few is then nothing against it.
    """
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        with errors_of(f"metric {name} on {given.shapes}", code="metric-failed", hint=GUIDE):
            metric.reset()
            given.to(metric.update, call)
        try:
            value = metric.compute()
        except Exception:
            value = None
    if value is not None:
        _number(name, value)
    metric.reset()


def _build(setting: Mapping[str, Any], num_classes: int, device: torch.device, target: Column | None) -> Metric:
    with errors_of("metrics", code="metrics-not-buildable"):
        metric: Any
        if target is not None and is_by_name(setting["kind"]):
            metric = ByName(setting, target.kind, target.shape)
        else:
            metric = build("metrics", setting, num_classes)
        if isinstance(metric, nn.Module):
            metric = metric.to(device)
    if not isinstance(metric, Metric):
        message = f"metric {setting['kind']} gave {described(metric)}; expected reset, update and compute"
        raise TrainingError("metrics-not-buildable", message)
    for module in metric.modules() if isinstance(metric, nn.Module) else ():
        if isinstance(module, TorchMetric):
            # Each worker of a group measures all samples, so there is nothing to add up over workers; and one that
            # tries a trial does so alone, and would wait for ever. `sync_on_compute` counts when it is made alone.
            module.distributed_available_fn = _is_distributed
    return metric


def _is_distributed() -> bool:
    return False


def _identity(measure: object, otherwise: str) -> str:
    """What the component says of itself; a user's own may say nothing."""
    return str(getattr(measure, "identity", otherwise))


def _spelt_out(setting: Mapping[str, Any], otherwise: str) -> str:
    """A component of the user's own by its kind and arguments, which together define it."""
    if not is_own(setting["kind"]):
        return otherwise
    arguments = [f"{name} {value}" for name, value in setting.items() if name != "kind"]
    return ", ".join([setting["kind"], *arguments])
