"""Builds the parts of a training from a trial and its data: model, objective, optimizer, schedule, metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from craftc.components.declared import gives_embeddings
from craftc.schemas.plan import Trial
from craftc.training.compiling.compile_loss import Rehearsal
from craftc.training.compiling.compiling import Compilation, Compiling, build_compiling
from craftc.training.data.device_split import Batch
from craftc.training.data.facts import model_facts
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.error_context import errors_of
from craftc.training.foundation.precision import Precision, build_precision, kept_type
from craftc.training.foundation.random import key, seed_everything
from craftc.training.parts.augmentations import Augmentations, build_augmentations
from craftc.training.parts.average import Average
from craftc.training.parts.calls import Calls, MeasureCall, Output
from craftc.training.parts.dropout import DropoutBits, count_dropout
from craftc.training.parts.loss import Loss
from craftc.training.parts.metrics import MetricSet, build_metrics
from craftc.training.parts.model import build_model, check_last_batch
from craftc.training.parts.optimizer import build_optimizer
from craftc.training.parts.schedule import Schedule, build_schedule
from craftc.training.parts.terms import build_sum
from craftc.training.parts.values import Values, build_values, check_names
from craftc.training.parts.worker_group import ONE_WORKER, WorkerGroup


@dataclass(frozen=True)
class Parts:
    """What a step reads and changes. `clip_grad_norm`, `ema` and `ema_decay` are None where the spec says none.
    `joined` is the model as training calls it: the same, or what adds up the gradients of all workers.
    The model's dropout draws from `dropout_bits`. `features` makes the model's inputs (B, ...) of an augmented batch;
    None where it is given the batch. `calls` and `objective_call` say how model and objective are called, `step_calls`
    how in a step, whose batches may have several views; `values` are handed to both. `loss` is theirs, which
    `compilation` may compile. `class_names` are in the order of the model's logits. `parameters` are the model's, and
    `average` takes them into `ema`."""

    seed: int
    class_names: tuple[str, ...]
    device: torch.device
    workers: WorkerGroup
    calls: Calls
    objective_call: MeasureCall
    model: nn.Module
    joined: nn.Module
    dropout_bits: DropoutBits
    ema: AveragedModel | None
    ema_decay: float | None
    objective: nn.Module
    metric_set: MetricSet
    optimizer: torch.optim.Optimizer
    base_lrs: tuple[float, ...]
    schedule: Schedule
    values: Values
    augmentations: Augmentations
    features: Callable[[Tensor], Tensor] | None
    clip_grad_norm: float | None
    precision: Precision
    deterministic: bool
    compiling: Compiling
    parameters: tuple[nn.Parameter, ...] = field(init=False)
    average: Average | None = field(init=False)
    step_calls: Calls = field(init=False)
    loss: Loss = field(init=False)
    compilation: Compilation = field(init=False)

    def __post_init__(self) -> None:
        # What a step would have to look for: it is not frozen yet.
        object.__setattr__(self, "parameters", tuple(self.model.parameters()))
        average = None if self.ema is None else Average(self.ema, self.model, self.ema_decay or 0.0)
        object.__setattr__(self, "average", average)
        object.__setattr__(self, "step_calls", self.calls.of_views(self.augmentations.num_views))
        loss = Loss(self.precision, self.joined, self.objective, self.step_calls, self.objective_call)
        object.__setattr__(self, "loss", loss)
        rehearsal = Rehearsal(
            (self.joined, self.objective), self.calls.first, self.dropout_bits, self.device, self.seed
        )
        object.__setattr__(self, "compilation", Compilation(self.compiling, loss, rehearsal))

    def given(self, batch: Batch, step: int) -> Batch:
        """What the model is given of a batch of the train split that is not augmented, at a step."""
        x_B = self.augmentations.unchanged(batch[self.calls.first])
        given = x_B if self.features is None else self.features(x_B)
        return {**batch, self.calls.first: given, **self.values.at(step)}

    def predict(self, batch: Batch) -> Output:
        """What the model whose weights are judged makes of a batch. It is to be in eval mode already."""
        return self.calls.predict(self.evaluated, batch)

    @property
    def evaluated(self) -> nn.Module:
        """The model whose weights are judged and kept: the moving average where there is one."""
        return self.model if self.ema is None else self.ema.module

    @property
    def num_parameters(self) -> int:
        """Trainable numbers of the model."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)


def assemble(
    trial: Trial,
    data: PreparedData,
    device: torch.device,
    steps_per_epoch: int,
    workers: WorkerGroup = ONE_WORKER,
    compiled: Path | None = None,
) -> Parts:
    """Build every part as it stands before the first step. `compiled` is where compiled steps are kept.

    Raises DataError `data-mismatch`, and TrainingError: `<part>-not-buildable`, and what the first try of the parts
    that are the user's own shows.
    """
    config = trial.config
    seed_everything(key(trial.seed, "init"), device)
    training, num_views = config["training"], config["data"].get("views", 1)
    values = build_values(
        training.get("values", {}),
        num_epochs=training["epochs"],
        steps_per_epoch=steps_per_epoch,
        device=device,
        dtype=kept_type(training),
    )
    model_setting = model_facts(config, data.facts)
    tried = build_model(model_setting, data, device, values, is_embedding=gives_embeddings(config))
    model = tried.model
    check_last_batch(tried, data, training["batch_size"])
    dropout_bits = count_dropout(model)
    model.to(device)
    objective, call = build_sum(config["objective"], data, tried.of_views(num_views), device, values.names)
    check_names(values.names, data.train, tried.calls.model, call)
    precision = build_precision(training, device)
    if precision.kept != torch.float32:
        # What was rounded to float32 before stays so: the same weights in both.
        model.to(precision.kept)
        objective.to(precision.kept)
    metric_set = build_metrics(config["objective"], objective, call, data, tried.kept_as(precision.kept))
    asked = {name for each in (call, *metric_set.calls.values()) for _, name in each.named}
    calls = replace(tried.calls, keeps_all=not asked.isdisjoint(tried.names))
    optimizer = build_optimizer(training["optimizer"], model)
    with errors_of("schedule", code="schedule-not-buildable"):
        schedule = build_schedule(training["schedule"], num_epochs=training["epochs"], steps_per_epoch=steps_per_epoch)
    few = torch.from_numpy(data.train.inputs[:2].copy())
    few = few.float().to(device) if device.type == "mps" and few.is_floating_point() else few.to(device)
    normalize = None if data.augmented is None else data.augmented.normalize
    few = few.to(precision.kept) if few.is_floating_point() and normalize is None else few
    augmentations = build_augmentations(config["data"]["augment"], few, normalize, precision.kept, num_views)
    features = None if data.augmented is None else data.augmented.features
    regularization = config["regularization"]
    return Parts(
        seed=trial.seed,
        class_names=data.class_names,
        device=device,
        workers=workers,
        calls=calls,
        objective_call=call,
        model=model,
        joined=workers.joined(model, device),
        dropout_bits=dropout_bits,
        ema=_moving_average(model, regularization["ema_decay"]),
        ema_decay=None if regularization["ema_decay"] == "none" else regularization["ema_decay"],
        precision=precision,
        deterministic=training.get("deterministic", False),
        compiling=build_compiling(
            config, device, workers, num_steps=training["epochs"] * steps_per_epoch, folder=compiled
        ),
        objective=objective,
        metric_set=metric_set,
        optimizer=optimizer,
        base_lrs=tuple(group["lr"] for group in optimizer.param_groups),
        schedule=schedule,
        values=values,
        augmentations=augmentations,
        features=None if features is None else _kept_as(precision.kept, features),
        clip_grad_norm=None if regularization["clip_grad_norm"] == "none" else regularization["clip_grad_norm"],
    )


def _kept_as(kept: torch.dtype, features: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A backbone is float32, whatever what is trained on its features is."""
    if kept == torch.float32:
        return features
    return lambda x_B: features(x_B.float() if x_B.is_floating_point() else x_B).to(kept)


def _moving_average(model: nn.Module, decay: float | str) -> AveragedModel | None:
    if isinstance(decay, str):
        return None
    # No device: its step counter then stays on the CPU, where reading it at every step does not wait for the GPU.
    return AveragedModel(model)
