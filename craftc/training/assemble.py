"""Builds the parts of a training from a trial and its data: model, objective, optimizer, schedule, metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

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
from craftc.training.foundation.course import Course
from craftc.training.foundation.error_context import errors_of
from craftc.training.foundation.precision import Precision, build_precision, kept_type
from craftc.training.foundation.random import key, seed_everything
from craftc.training.frozen.teacher import build_teachers
from craftc.training.parts.augmentations import Augmentations, build_augmentations
from craftc.training.parts.average import Average, Averaging, averaging_of
from craftc.training.parts.calls import Calls, MeasureCall, Output
from craftc.training.parts.dropout import DropoutBits, count_dropout
from craftc.training.parts.layers import Layers, build_layers
from craftc.training.parts.loss import Loss
from craftc.training.parts.metrics import MetricSet, build_metrics
from craftc.training.parts.micro_batches import MicroBatches, check_fits
from craftc.training.parts.mixing import check_mixable, mixed_names
from craftc.training.parts.model import build_model, check_last_batch
from craftc.training.parts.optimizer import build_optimizer
from craftc.training.parts.parameter_groups import LR_SCALE, ParameterGroups
from craftc.training.parts.schedule import Schedule, build_schedule
from craftc.training.parts.sharpness import Sharpness, build_sharpness
from craftc.training.parts.terms import build_sum
from craftc.training.parts.values import Values, build_values, check_names
from craftc.training.parts.worker_group import ONE_WORKER, WorkerGroup


@dataclass(frozen=True)
class Parts:
    """What a step reads and changes. `clip_grad_norm`, `adaptive_clip`, `ema` and `averaging` are None where the spec
    says none. `joined` is the model as training calls it: the same, or what adds up the gradients of all workers.
    The model's dropout draws from `dropout_bits`. `features` makes the model's inputs (B, ...) of an augmented batch;
    None where it is given the batch. `calls` and `objective_call` say how model and objective are called, `step_calls`
    how in a step, whose batches may have several views; `values` are handed to both. `loss` is theirs, which
    `compilation` may compile; `mixes_by_vmap` says how that of mixed samples is computed. `class_names` are in the
    order of the model's logits. `parameters` are the model's, and `average` takes them into `ema`, as `averaging` says;
    `num_removed` counts those that were taken out of it. `sharpness` moves them, for a gradient of elsewhere; None
    without SAM. `layers` are those whose gradients' norms are recorded; None where none are. The rates of the
    optimizer's groups are those of the schedule by `base_lrs`, times `lr_scales`."""

    seed: int
    class_names: tuple[str, ...]
    device: torch.device
    workers: WorkerGroup
    micro_batches: MicroBatches
    calls: Calls
    objective_call: MeasureCall
    model: nn.Module
    joined: nn.Module
    dropout_bits: DropoutBits
    ema: AveragedModel | None
    averaging: Averaging | None
    objective: nn.Module
    metric_set: MetricSet
    optimizer: torch.optim.Optimizer
    base_lrs: tuple[float, ...]
    lr_scales: tuple[float, ...]
    schedule: Schedule
    values: Values
    augmentations: Augmentations
    features: Callable[[Tensor], Tensor] | None
    clip_grad_norm: float | None
    adaptive_clip: float | None
    layers: Layers | None
    sharpness: Sharpness | None
    precision: Precision
    deterministic: bool
    compiling: Compiling
    mixes_by_vmap: bool = True
    parameters: tuple[nn.Parameter, ...] = field(init=False)
    average: Average | None = field(init=False)
    num_removed: int = 0
    step_calls: Calls = field(init=False)
    loss: Loss = field(init=False)
    compilation: Compilation = field(init=False)

    def __post_init__(self) -> None:
        # What a step would have to look for: it is not frozen yet.
        object.__setattr__(self, "parameters", tuple(self.model.parameters()))
        average = None
        if self.ema is not None and self.averaging is not None:
            average = Average(self.ema, self.model, self.averaging)
        object.__setattr__(self, "average", average)
        object.__setattr__(self, "step_calls", self.calls.of_views(self.augmentations.num_views))
        loss = Loss(
            self.precision, self.joined, self.objective, self.step_calls, self.objective_call, self.mixes_by_vmap
        )
        object.__setattr__(self, "loss", loss)
        rehearsal = Rehearsal(
            (self.joined, self.objective), self.calls.first, self.dropout_bits, self.device, self.seed
        )
        object.__setattr__(self, "compilation", Compilation(self.compiling, loss, rehearsal))

    def given(self, batch: Batch, step: int) -> Batch:
        """What the model is given at once of the batches of a step that are not augmented."""
        if not self.micro_batches.is_one:
            first = next(self.micro_batches.of_step(len(batch[self.calls.first]), self.workers))
            batch = {name: column[first.start : first.stop] for name, column in batch.items()}
        batch = self.augmentations.unchanged(batch, self.calls.first)
        x_B = batch[self.calls.first]
        given = x_B if self.features is None else self.features(x_B)
        return {**batch, self.calls.first: given, **self.values.at(step)}

    def predict(self, batch: Batch) -> Output:
        """What the model whose weights are judged makes of a batch. It is to be in eval mode already."""
        return self.calls.predict(self.evaluated, batch)

    @property
    def evaluated(self) -> nn.Module:
        """The model whose weights are judged and kept: the average where there is one."""
        return self.model if self.ema is None else self.ema.module

    @property
    def num_parameters(self) -> int:
        """Trainable numbers of the model."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)


def assemble(
    trial: Trial,
    data: PreparedData,
    device: torch.device,
    course: Course,
    workers: WorkerGroup = ONE_WORKER,
    compiled: Path | None = None,
) -> Parts:
    """Build every part as it stands before the first step of a `course`. `compiled` is where compiled steps are kept.

    Raises DataError `data-mismatch`, and TrainingError: `<part>-not-buildable`, and what the first try of the parts
    that are the user's own shows.
    """
    config = trial.config
    seed_everything(key(trial.seed, "init"), device)
    training, num_views = config["training"], config["data"].get("views", 1)
    values = build_values(
        training.get("values", {}),
        num_steps=course.num_steps,
        steps_per_epoch=course.steps_per_pass,
        device=device,
        dtype=kept_type(training),
    )
    model_setting = model_facts(config, data.facts)
    tried = build_model(model_setting, data, device, values, is_embedding=gives_embeddings(config))
    model = tried.model
    check_last_batch(tried, data, training["batch_size"])
    dropout_bits = count_dropout(model, tried.removed.order if tried.removed is not None else ())
    model.to(device)
    objective, call = build_sum(config["objective"], data, tried.of_views(num_views), device, values.names)
    if trial.micro_batch is not None:
        check_fits(tried, objective, config)
    check_names(values.names, data.train, tried.calls.model, call)
    precision = build_precision(training, device)
    if precision.kept != torch.float32:
        # What was rounded to float32 before stays so: the same weights in both.
        model.to(precision.kept)
        objective.to(precision.kept)
    metric_set = build_metrics(config["objective"], objective, call, data, tried.kept_as(precision.kept))
    asked = {name for each in (call, *metric_set.calls.values()) for _, name in each.named}
    teachers = build_teachers(config, objective, data, tried, device, precision.kept)
    calls = replace(tried.calls, keeps_all=not asked.isdisjoint(tried.names), teachers=teachers)
    groups = ParameterGroups(training, model)
    groups.freeze()
    optimizer = build_optimizer(training["optimizer"], model)
    groups.divide(optimizer, f"optimizer {training['optimizer']['kind']}")
    with errors_of("schedule", code="schedule-not-buildable"):
        schedule = build_schedule(
            training["schedule"], num_steps=course.num_steps, steps_per_epoch=course.steps_per_pass
        )
    few = torch.from_numpy(data.train.inputs[:2].copy())
    few = few.float().to(device) if device.type == "mps" and few.is_floating_point() else few.to(device)
    normalize = None if data.augmented is None else data.augmented.normalize
    few = few.to(precision.kept) if few.is_floating_point() and normalize is None else few
    augmentations = build_augmentations(
        config["data"]["augment"], few, normalize, precision.kept, num_views, mixed_names(data.splits["train"])
    )
    mixes_by_vmap = not augmentations.mixes or check_mixable(objective, call, tried, data.splits["train"])
    features = None if data.augmented is None else data.augmented.features
    regularization = config["regularization"]
    averaging = averaging_of(regularization, course.steps_per_pass)
    return Parts(
        seed=trial.seed,
        class_names=data.class_names,
        device=device,
        workers=workers,
        micro_batches=MicroBatches(training["batch_size"], training.get("accumulate", 1), trial.micro_batch),
        calls=calls,
        objective_call=call,
        model=model,
        joined=workers.joined(model, device),
        dropout_bits=dropout_bits,
        # No device: its step counter then stays on the CPU, where reading it at every step does not wait for the GPU.
        ema=None if averaging is None else AveragedModel(model),
        averaging=averaging,
        precision=precision,
        deterministic=training.get("deterministic", False),
        compiling=build_compiling(config, device, workers, num_steps=course.num_steps, folder=compiled),
        objective=objective,
        metric_set=metric_set,
        optimizer=optimizer,
        base_lrs=tuple(group["lr"] for group in optimizer.param_groups),
        lr_scales=tuple(group.get(LR_SCALE, 1.0) for group in optimizer.param_groups),
        schedule=schedule,
        values=values,
        augmentations=augmentations,
        mixes_by_vmap=mixes_by_vmap,
        features=None if features is None else _kept_as(precision.kept, features),
        sharpness=build_sharpness(regularization),
        clip_grad_norm=_unless_none(regularization["clip_grad_norm"]),
        adaptive_clip=_unless_none(regularization.get("adaptive_clip", "none")),
        layers=build_layers(config["evaluation"], model, skips_overflows=precision.scaler is not None),
        num_removed=0 if tried.removed is None else tried.removed.num_parameters,
    )


def _unless_none(value: float | Literal["none"]) -> float | None:
    return None if value == "none" else value


def _kept_as(kept: torch.dtype, features: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A backbone is float32, whatever what is trained on its features is."""
    if kept == torch.float32:
        return features
    return lambda x_B: features(x_B.float() if x_B.is_floating_point() else x_B).to(kept)
