"""Measures weights in other ways than plainly: by passes, and behind the stages that are fitted to their outputs."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.sources.columns import Column
from craftc.schemas.catalogue import short_name
from craftc.schemas.plan import Trial
from craftc.schemas.result import Metrics
from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch, DeviceSplit, evaluation_batches
from craftc.training.foundation.determinism import deterministic
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import key, seed_everything
from craftc.training.loop.evaluate import Predictor, evaluate_splits
from craftc.training.parts.after_stages import Stage, build_stages
from craftc.training.parts.calls import ModelCall, Output
from craftc.training.parts.views import Views, build_views

_NO_VALUES = ("views", "every_epoch")
"""The keys of a pass that are no numbers for the model."""


@dataclass(frozen=True)
class Pass:
    """Another way to measure weights. `values` are numbers that the model is given instead of those of the training;
    `numbers` those of them that it has a default for, and that no step gives it."""

    name: str
    views: Views | None
    values: Mapping[str, float]
    numbers: Mapping[str, float]
    every_epoch: bool

    def predictor(self, parts: Parts) -> Predictor:
        """What predicts the outputs of a batch."""
        predict: Predictor = parts.predict
        if self.numbers:
            named = (*parts.calls.model.named, *((name, name) for name in self.numbers))
            calls = replace(parts.calls, model=parts.calls.model._replace(named=named))
            given = {
                name: torch.tensor(number, dtype=parts.precision.kept, device=parts.device)
                for name, number in self.numbers.items()
            }

            def predict_with(batch: Batch) -> Output:
                return calls.predict(parts.evaluated, {**batch, **given})

            predict = predict_with
        return predict if self.views is None else self.views.of(predict)


@dataclass(frozen=True)
class Amount:
    """Of which epoch the weights are, behind how many steps, in which batches splits are measured, and how many of
    those; None: all."""

    epoch: int
    num_steps: int
    batch_size: int
    num_batches: int | None = None


def settings_of_passes(trial: Trial) -> Mapping[str, Mapping[str, Any]]:
    """The passes of a trial's configuration, by name."""
    found: Mapping[str, Mapping[str, Any]] = trial.config["evaluation"].get("passes", {})
    return found


def others_in_words(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """What each pass and after-stage adds to the definition of what it measures: its name alone.

    What it does is part of how a sample is predicted, as the model is, and none of what is measured of that: accuracy
    over two tiles and over three are compared.
    """
    stages = [short_name(setting["kind"]) for setting in evaluation.get("after", ())]
    behind = {name: f"behind {', then '.join(stages[: place + 1])}" for place, name in enumerate(stages)}
    return {**{name: f"by pass {name}" for name in evaluation.get("passes", {})}, **behind}


def build_passes(trial: Trial, parts: Parts, target: Column | None) -> tuple[Pass, ...]:
    """Those of a trial. Raises TrainingError `views-failed`."""
    return tuple(_build(name, setting, parts, target) for name, setting in settings_of_passes(trial).items())


def _build(name: str, setting: Mapping[str, Any], parts: Parts, target: Column | None) -> Pass:
    calls = parts.calls
    values = {key: float(value) for key, value in setting.items() if key not in _NO_VALUES}
    numbers = {key: value for key, value in values.items() if key not in parts.values.names}
    taken = number_parameters(parts.model, calls.model)
    if (unknown := next((each for each in numbers if each not in taken), None)) is not None:
        known = ", ".join(dict.fromkeys((*parts.values.names, *taken))) or "no number"
        message = f"pass {name} gives the model {unknown}, and its forward takes {known} by name"
        raise TrainingError("unknown-value", message)
    views = build_views(setting["views"], calls.first, target, calls.main, parts.device)
    return Pass(name, views, values, numbers, setting["every_epoch"])


def number_parameters(model: nn.Module, call: ModelCall) -> list[str]:
    """The parameters of a model's forward that have a default, and are given nothing by name: such may be numbers."""
    try:
        _, *rest = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    given = {parameter for parameter, _ in call.named}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = [each for each in rest if each.kind in kinds and each.default is not each.empty]
    return [each.name for each in found if each.name not in given and not isinstance(each.default, str | Tensor)]


def measure_pass(
    parts: Parts, each: Pass, splits: dict[str, DeviceSplit], names: Iterable[str], amount: Amount
) -> Metrics:
    """`<split>/<pass>.<metric>` of the named splits. Raises TrainingError."""
    parts.evaluated.eval()
    return _measured(parts, each.name, each.predictor(parts), splits, names, amount, each.values)


def fit_stages(
    parts: Parts, trial: Trial, calibrating: Mapping[str, DeviceSplit], amount: Amount
) -> list[tuple[Stage, str]]:
    """The after-stages of a trial, each fitted to what those before it make of the outputs, with the JSON that is to be
    kept of it, from which its state was taken up again: what is measured is what is kept.

    Raises TrainingError `after-stage-failed`.
    """
    parts.evaluated.eval()
    predict: Predictor = parts.predict
    fitted: list[tuple[Stage, str]] = []
    settings = trial.config["evaluation"].get("after", ())
    for stage, fresh in zip(build_stages(settings, parts.device), build_stages(settings, parts.device), strict=True):
        outputs, targets = _outputs(parts, predict, calibrating[stage.split], amount)
        stage.fit(outputs, targets)
        # Every worker has all outputs; that all have the same digits is left to nothing.
        text = parts.workers.share(stage.text(amount.epoch))
        fresh.load(text)
        fitted.append((fresh, text))
        predict = fresh.of(predict, parts.calls)
    return fitted


def measure_stages(
    parts: Parts, stages: Sequence[Stage], splits: dict[str, DeviceSplit], names: Sequence[str], amount: Amount
) -> Metrics:
    """`<split>/<stage>.<metric>` of the named splits, behind each of the stages. Raises TrainingError."""
    parts.evaluated.eval()
    predict: Predictor = parts.predict
    found: Metrics = {}
    for stage in stages:
        predict = stage.of(predict, parts.calls)
        found |= _measured(parts, stage.name, predict, splits, names, amount)
    return found


def _measured(
    parts: Parts,
    name: str,
    predict: Predictor,
    splits: dict[str, DeviceSplit],
    names: Iterable[str],
    amount: Amount,
    values: Mapping[str, float] | None = None,
) -> Metrics:
    found: Metrics = {}
    for split in names:
        with _named(f"{split}/loss", f"{split}/{name}.loss"):
            metrics = evaluate_splits(
                parts,
                splits,
                [split],
                epoch=amount.epoch,
                num_steps=amount.num_steps,
                batch_size=amount.batch_size,
                predict=predict,
                num_batches=amount.num_batches,
                values=values,
            )
        found |= {f"{split}/{name}.{metric.partition('/')[2]}": value for metric, value in metrics.items()}
    return found


@contextmanager
def _named(plain: str, name: str) -> Iterator[None]:
    """Reports a loss that is no number by the name that it would be recorded under."""
    try:
        yield
    except TrainingError as error:
        if error.code != "nan-loss":
            raise
        raise TrainingError(error.code, error.message.replace(plain, name), error.epoch) from error


def _outputs(parts: Parts, predict: Predictor, split: DeviceSplit, amount: Amount) -> tuple[Tensor, Tensor]:
    """All outputs of a split beside their targets, as objectives are given them."""
    found = parts.micro_batches.fitting_evaluation(lambda: list(_of_batches(parts, predict, split, amount)), parts)
    return torch.cat([output for output, _ in found]), torch.cat([target for _, target in found])


def _of_batches(
    parts: Parts, predict: Predictor, split: DeviceSplit, amount: Amount
) -> Iterator[tuple[Tensor, Tensor]]:
    workers, calls = parts.workers, parts.calls
    values = parts.values.after(amount.num_steps)
    seed_everything(key(parts.seed, "evaluation", amount.epoch), parts.device)
    most = parts.micro_batches.most_evaluated(workers)
    with torch.no_grad(), deterministic(parts.deterministic):
        for batch in islice(evaluation_batches(split, amount.batch_size, most), amount.num_batches):
            part = {name: workers.part(column) for name, column in batch.items()} | values
            output = parts.precision.output(predict, part)
            main = output if isinstance(output, Tensor) else output[str(calls.main)]
            given = calls.given(workers.whole(main, len(batch[split.first])), batch | values)
            if given.target is None:
                raise TrainingError("after-stage-failed", "a stage after training is fitted to targets; there are none")
            yield given.output, given.target
