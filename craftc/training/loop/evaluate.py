"""Measures the loss and every metric of a model in a split.

B: samples of a batch, M: its predictions, one or several of each sample, C: classes.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice

import torch
from torch import Tensor

from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.data.device_split import DeviceSplit, evaluation_batches
from craftc.training.foundation.determinism import deterministic
from craftc.training.foundation.error_context import GUIDE, errors_of
from craftc.training.foundation.errors import require_finite
from craftc.training.foundation.random import key, seed_everything
from craftc.training.parts.metrics import computed
from craftc.training.parts.objective import CODE as OBJECTIVE_FAILED
from craftc.training.parts.objective import predictions, sum_and_weight

Predictor = Callable[[Tensor], Tensor]
"""The logits of a batch of inputs."""


def evaluate_splits(
    parts: Parts,
    splits: dict[str, DeviceSplit],
    names: Iterable[str],
    *,
    epoch: int,
    batch_size: int,
    model: Predictor | None = None,
    num_batches: int | None = None,
) -> Metrics:
    """`<split>/loss` and `<split>/<metric>` of the named splits, or of their first `num_batches`, with the weights that
    are judged; `model` stands for those where what they predict is known. Raises TrainingError `nan-loss` and
    `metric-failed`."""
    if model is None:
        model = parts.evaluated.eval()
    values: Metrics = {}
    for name in names:
        seed_everything(key(parts.seed, "evaluation", epoch), parts.device)
        with deterministic(parts.deterministic):
            found = evaluate(parts, model, splits[name], batch_size=batch_size, num_batches=num_batches)
        require_finite(found["loss"], f"{name}/loss became {found['loss']}", epoch)
        values |= {f"{name}/{metric}": value for metric, value in found.items()}
    return values


def evaluate(
    parts: Parts,
    model: Predictor,
    split: DeviceSplit,
    *,
    batch_size: int,
    only: Collection[str] | None = None,
    num_batches: int | None = None,
) -> Metrics:
    """`loss`, and every metric, or `only` those, that comes to a finite number on this split, or on its first
    `num_batches`. A module is to be in eval mode already.

    The loss is the objective's sum over the split by its weight, so it does not depend on the batches. Each worker of
    the group runs the model on its part of each batch; the logits are then put together, and every worker measures
    all of them, so that any metric is exact.
    """
    parts.objective.eval()
    metrics = {n: metric for n, metric in parts.metric_set.metrics.items() if only is None or n in only}
    for metric in metrics.values():
        metric.reset()
    sums: list[Tensor] = []
    with torch.no_grad():
        for x_B, y_B in islice(evaluation_batches(split, batch_size), num_batches):
            logits = parts.workers.whole(parts.precision.logits(model, parts.workers.part(x_B)), len(x_B))
            with errors_of(f"objective on logits {tuple(logits.shape)}", code=OBJECTIVE_FAILED, hint=GUIDE):
                sums.append(torch.stack(sum_and_weight(parts.objective, logits, y_B)))
            logits_MC, y_M = predictions(logits, y_B)
            for name, metric in metrics.items():
                with errors_of(f"metric {name}", code="metric-failed"):
                    metric.update(logits_MC, y_M)
        loss_sum, weight_sum = torch.stack(sums).cpu().double().sum(0).tolist()
        values = {name: computed(name, metric) for name, metric in metrics.items()}
    computable = {name: value for name, value in values.items() if math.isfinite(value)}
    return {"loss": loss_sum / weight_sum, **computable}


def evaluate_trivial(parts: Parts, splits: dict[str, DeviceSplit], class_counts: Tensor, *, batch_size: int) -> Metrics:
    """Every split's metrics of a predictor that knows the class frequencies (C,) of train and nothing else: those to
    which such a predictor means something, where they are finite."""
    known = parts.metric_set.of_frequencies
    if not known:
        return {}
    logits_C = (class_counts / class_counts.sum()).log().to(parts.device, parts.precision.kept)
    values: Metrics = {}
    for name, split in splits.items():
        found = evaluate(parts, _constant(logits_C, split.y.shape[1:]), split, batch_size=batch_size, only=known)
        finite = {metric: value for metric, value in found.items() if metric in known and math.isfinite(value)}
        values |= {f"{name}/{metric}": value for metric, value in finite.items()}
    return values


def _constant(logits_C: Tensor, per_sample: Sequence[int]) -> Predictor:
    """A predictor that gives the same logits for every target of every sample."""
    return lambda x_B: logits_C.expand(len(x_B), *per_sample, -1)
