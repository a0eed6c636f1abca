"""Measures the loss and every metric of a model in a split.

B: samples of a batch, M: its predictions, one or several of each sample, C: classes.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

import torch
from torch import Tensor, nn

from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.data.device_split import SOURCE, Batch, DeviceSplit, evaluation_batches, train_batches
from craftc.training.foundation.determinism import deterministic
from craftc.training.foundation.error_context import GUIDE, errors_of
from craftc.training.foundation.errors import require_finite
from craftc.training.foundation.random import epoch_order, key, seed_everything
from craftc.training.parts.calls import Output
from craftc.training.parts.metrics import computed
from craftc.training.parts.objective import CODE as OBJECTIVE_FAILED
from craftc.training.parts.objective import sum_and_weight
from craftc.training.parts.terms import loss_names_of, losses_of
from craftc.training.parts.worker_group import WorkerGroup

Predictor = Callable[[Batch], Output]
"""The output of a batch."""


def evaluate_splits(
    parts: Parts,
    splits: dict[str, DeviceSplit],
    names: Iterable[str],
    *,
    epoch: int,
    batch_size: int,
    num_steps: int | None = None,
    predict: Predictor | None = None,
    num_batches: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Metrics:
    """`<split>/loss` and `<split>/<metric>` of the named splits, or of their first `num_batches`, with the weights that
    are judged; `predict` stands for those where what they predict is known. Values are those of the last of `num_steps`
    steps, or of the training, but for `values`, by name. Raises TrainingError `nan-loss` and `metric-failed`."""
    if predict is None:
        parts.evaluated.eval()
        predict = parts.predict
    measured: Metrics = {}
    for name in names:
        seed_everything(key(parts.seed, "evaluation", epoch), parts.device)
        with deterministic(parts.deterministic):
            found = evaluate(
                parts,
                predict,
                splits[name],
                batch_size=batch_size,
                num_batches=num_batches,
                num_steps=num_steps,
                values=values,
            )
        require_finite(found["loss"], f"{name}/loss became {found['loss']}", epoch)
        measured |= {f"{name}/{metric}": value for metric, value in found.items()}
    return measured


def evaluate(
    parts: Parts,
    predict: Predictor,
    split: DeviceSplit,
    *,
    batch_size: int,
    only: Collection[str] | None = None,
    num_batches: int | None = None,
    num_steps: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Metrics:
    """`loss`, that of each term and every metric, or `only` those, that comes to a finite number on this split, or on
    its first `num_batches`. A model that predicts is to be in eval mode already. Values are those of the last of
    `num_steps` steps, or of the training, but for `values`, by name.

    A loss is the objective's sum over the split by its weight, so it does not depend on the batches. Each worker of
    the group runs the model on its part of each batch; the outputs are then put together, and every worker measures
    all of them, so that any metric is exact.
    """

    def take() -> Metrics:
        return _evaluated(parts, predict, split, batch_size, only, num_batches, num_steps, values)

    return parts.micro_batches.fitting_evaluation(take, parts)


def _evaluated(
    parts: Parts,
    predict: Predictor,
    split: DeviceSplit,
    batch_size: int,
    only: Collection[str] | None,
    num_batches: int | None,
    num_steps: int | None,
    values: Mapping[str, float] | None,
) -> Metrics:
    parts.objective.eval()
    workers, calls = parts.workers, parts.metric_set.calls
    metrics = {n: metric for n, metric in parts.metric_set.metrics.items() if only is None or n in only}
    for metric in metrics.values():
        metric.reset()
    sums: list[Tensor] = []
    losses = [name for name in loss_names_of(parts.objective) if only is None or name in only]
    of_step, has_views = parts.values.after(num_steps, values), parts.augmentations.num_views > 1
    most = parts.micro_batches.most_evaluated(workers)
    with torch.no_grad():
        for batch in islice(evaluation_batches(split, batch_size, most), num_batches):
            num_samples = len(batch[split.first])
            part = {name: workers.part(column) for name, column in batch.items()} | of_step
            output = _whole(parts.precision.output(predict, part), workers, num_samples)
            given = parts.calls.given(output, batch | of_step)
            if losses and not has_views:
                with errors_of(f"objective on {given.shapes}", code=OBJECTIVE_FAILED, hint=GUIDE):
                    sums.append(torch.stack(sum_and_weight(parts.objective, parts.objective_call, given)))
            for name, metric in metrics.items():
                with errors_of(f"metric {name}", code="metric-failed"):
                    given.to(metric.update, calls[name])
        if losses and has_views:
            sums = list(islice(losses_of_views(parts, split, batch_size, of_step), num_batches))
        means = _means(parts.objective, sums) if losses else {}
        found = {name: means[name] for name in losses}
        found |= {name: computed(name, metric) for name, metric in metrics.items()}
    return {name: value for name, value in found.items() if name == "loss" or math.isfinite(value)}


def losses_of_views(
    parts: Parts, split: DeviceSplit, batch_size: int, values: Mapping[str, Tensor]
) -> Iterator[Tensor]:
    """The losses of batches of several views, as (sum, weight): the views are augmented as those of a step are, and are
    the same in every epoch. The model is to be in eval mode already, and is given `values` beside.

    Such a loss compares samples of a batch with each other, so batches are as large as those of training, and their
    samples are drawn from all of the split, whose order may be by class.
    """
    seed, first = key(parts.seed, "evaluation"), parts.calls.first
    order = epoch_order(seed, 0, len(split))
    for index, batch in enumerate(train_batches(split, order, batch_size)):
        x_B = parts.augmentations(batch.get(SOURCE, batch[first]), seed=seed, step=index)
        batch = {**batch, first: x_B, **values}
        output = parts.precision.output(partial(parts.step_calls.predict, parts.evaluated), batch)
        given = parts.step_calls.given(output, batch)
        with errors_of(f"objective on {given.shapes}", code=OBJECTIVE_FAILED, hint=GUIDE):
            yield torch.stack(sum_and_weight(parts.objective, parts.objective_call, given))


def _means(objective: nn.Module, sums: Sequence[Tensor]) -> Metrics:
    """Of the losses of batches, as sums and weights."""
    loss_sum, weight_sum = torch.stack(list(sums)).cpu().double().sum(0).tolist()
    return losses_of(objective, loss_sum, weight_sum, "loss")


def _whole(output: Output, workers: WorkerGroup, num_samples: int) -> Output:
    """The outputs of all workers, put together."""
    if isinstance(output, Tensor):
        return workers.whole(output, num_samples)
    return {name: workers.whole(value, num_samples) for name, value in output.items()}


def evaluate_trivial(
    parts: Parts, splits: dict[str, DeviceSplit], constants: Mapping[str, Tensor], *, num_steps: int, batch_size: int
) -> Metrics:
    """Every split's metrics of predictors that know train and nothing of a sample: of each of the `constants` those to
    which it means something, where they are finite; values are those of the last of
    `num_steps` steps."""
    of_each = parts.metric_set.trivial
    values: Metrics = {}
    for name, split in splits.items():
        for constant, output in constants.items():
            only = [measure for measure, best in of_each.items() if best == constant]
            predict = _constant(output.to(parts.device, parts.precision.kept), split, parts.calls.alignment)
            found = evaluate(parts, predict, split, batch_size=batch_size, only=only, num_steps=num_steps)
            finite = {metric: value for metric, value in found.items() if math.isfinite(value)}
            values |= {f"{name}/{metric}": value for metric, value in finite.items()}
    return values


def _constant(output: Tensor, split: DeviceSplit, alignment: str) -> Predictor:
    """A predictor that gives the same output for every sample: logits (C,) for every target of it, or its target."""
    if alignment == "same":
        return lambda batch: output.expand(len(batch[split.first]), *output.shape)
    per_sample = () if split.y is None else split.y.shape[1:]

    def predict(batch: Batch) -> Tensor:
        logits = output.expand(len(batch[split.first]), *per_sample, -1)
        return logits.movedim(-1, 1) if alignment == "dense" else logits

    return predict
