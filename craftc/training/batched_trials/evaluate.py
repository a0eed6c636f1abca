"""Evaluates the trainings of a batch, whose models run as one.

K: trainings, N: samples of a split, B: those of a batch of it.
"""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from craftc.components.many import for_each_model
from craftc.schemas.result import Metrics
from craftc.training.batched_trials.compatibility import LOSS_TOLERANCE, refused
from craftc.training.batched_trials.trial_batch import Batch, UnbatchableError
from craftc.training.data.device_split import Batch as Columns
from craftc.training.data.device_split import DeviceSplit, numbers_per_sample
from craftc.training.loop.evaluate import Predictor, evaluate_splits

log = logging.getLogger(__name__)

NUMBERS_AT_ONCE = {"cpu": 2**17, "cuda": 2**20}
"""Input numbers that models take at once, all of them together: 2,048 digits on a CPU."""
LEAST_AT_ONCE = 8
"""Fewer models that fill a device between them are as quick one after another: measured on a CPU, splits of more than
256 digits."""


class Evaluator:
    """Evaluates the batches of one run. Trainings whose evaluation as one fails, or comes to something else, are
    evaluated one after another from then on; `because` says why."""

    def __init__(self) -> None:
        self._is_tried = False
        self.because: str | None = None

    def measure(
        self,
        batch: Batch,
        splits: dict[str, DeviceSplit],
        names: Sequence[str],
        epochs: Sequence[int],
        steps: Sequence[int],
        batch_size: int,
        values: Mapping[str, float] | None = None,
    ) -> list[Metrics | Exception]:
        """What `evaluate_splits` returns or raises, for each training behind its own record and number of steps.

        Each measures by its own objective and metrics, in the batches in which it would alone, with the values of its
        own last step, but for `values`, by name.
        """
        found: list[Metrics | Exception] = [{} for _ in batch.parts]
        each = zip(batch.parts, steps, strict=True)
        of_steps = [parts.values.after(num_steps, values) for parts, num_steps in each]
        for name in names:
            for rows in self._groups(batch, splits[name]):
                outputs = self._outputs(batch, rows, splits[name], of_steps) if len(rows) > 1 else None
                for place, k in enumerate(rows):
                    metrics, predict = found[k], None if outputs is None else _known(outputs[place])
                    if isinstance(metrics, Exception):
                        continue
                    try:
                        found[k] = metrics | evaluate_splits(
                            batch.parts[k],
                            splits,
                            [name],
                            epoch=epochs[k],
                            num_steps=steps[k],
                            batch_size=batch_size,
                            predict=predict,
                            values=values,
                        )
                    except Exception as error:
                        found[k] = error
        return found

    def _groups(self, batch: Batch, split: DeviceSplit) -> list[range]:
        """The trainings that are evaluated at once."""
        num_models = len(batch.parts)
        numbers = len(split) * numbers_per_sample(split)
        size = NUMBERS_AT_ONCE[batch.stack.weights.device.type] // numbers
        if self.because is not None or split.sent_to is not None or size < LEAST_AT_ONCE:
            size = 1
        return [range(first, min(first + size, num_models)) for first in range(0, num_models, size)]

    def _outputs(self, batch: Batch, rows: range, split: DeviceSplit, values: Sequence[Columns]) -> Tensor | None:
        """Those of a group, (len(rows), N, ...), or None where each is to be evaluated alone."""
        if self.because is not None:
            return None
        try:
            if not self._is_tried:
                self._is_tried = try_evaluation(batch, rows[:2], split, values)
            return outputs_of(batch, rows, split, values)
        except Exception as error:
            self.because = str(error)
            log.info("the trainings of a batch are evaluated one after another: %s", error)
            return None


@torch.no_grad()
def try_evaluation(batch: Batch, rows: range, split: DeviceSplit, values: Sequence[Columns]) -> bool:
    """Run the models of `rows` alone and as one, each with its own of `values`, and compare; whether there were
    numbers to compare. Raises UnbatchableError."""
    with refused(batch):
        together = outputs_of(batch, rows, split, values)
    for k, ours in zip(rows, together, strict=True):
        batch.parts[k].evaluated.eval()
        columns = {name: column.clone() for name, column in split.columns.items()}
        theirs = batch.parts[k].predict(columns | values[k])
        assert isinstance(theirs, Tensor)
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise UnbatchableError(f"model: as one of several its outputs are {tuple(ours.shape)} of {ours.dtype}")
        # Of the largest logit: one that is nearly zero is known no better.
        tolerance = LOSS_TOLERANCE[batch.stack.weights.dtype] * float(theirs.abs().nan_to_num(0.0).max())
        if not torch.allclose(ours, theirs, rtol=0.0, atol=tolerance, equal_nan=True):
            raise UnbatchableError("model: as one of several its outputs are others")
    return bool(together.isfinite().all())


@torch.no_grad()
def outputs_of(batch: Batch, rows: range, split: DeviceSplit, values: Sequence[Columns]) -> Tensor:
    """What the models of `rows`, with the weights that are judged and their own of `values`, make of a split:
    (len(rows), N, ...)."""
    stack, template, calls = batch.stack, batch.template, batch.parts[0].calls
    template.model.eval()

    def one(trained: list[Tensor], held: list[Tensor], columns: Columns) -> Tensor:
        template.fill(trained, held)
        output = calls.predict(template.model, columns)
        if (replaced := template.replaced(held)) is not None:
            raise UnbatchableError(f"buffer {replaced[1]} is replaced in evaluation, not updated in place")
        if not isinstance(output, Tensor):
            raise UnbatchableError("measures ask for several outputs of the model")
        return output

    batch.doing = "model"
    group = slice(rows.start, rows.stop)
    weights = stack.weights if stack.average is None else stack.average
    # A copy for each, since a model may work in place on its input.
    columns = {
        name: column.expand(len(rows), *column.shape).clone(memory_format=torch.contiguous_format)
        for name, column in split.columns.items()
        if name in calls.model.columns
    }
    columns |= {
        name: torch.stack([values[k][name] for k in rows]) for name in values[rows.start] if name in calls.model.columns
    }
    found = for_each_model(one, stack.views(weights[group]), [tensor[group] for tensor in stack.held], columns)
    return found


def _known(output_N: Tensor) -> Predictor:
    """Gives the output of one batch after another, in the order of the split."""
    rest = output_N

    def of_next(batch: Columns) -> Tensor:
        nonlocal rest
        num_samples = len(next(iter(batch.values())))
        output_B, rest = rest[:num_samples], rest[num_samples:]
        return output_B

    return of_next
