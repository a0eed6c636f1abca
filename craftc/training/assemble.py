"""A trial and its data in, the parts of its training out: model, objective, optimizer, schedule, metrics."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.schemas.plan import Trial
from craftc.training.errors import TrainingError
from craftc.training.measures import Measures, build_measures
from craftc.training.prepare import PreparedData, infer_facts
from craftc.training.random import key, seed_everything
from craftc.training.schedule import Schedule, build_schedule
from craftc.training.team import SOLO, Team

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""(B, *shape) to (B, *shape), with the random numbers of the generator alone."""


@dataclass(frozen=True)
class Parts:
    """What a step reads and changes. `clip_grad_norm` and `ema` are None where the spec says none. `joined` is the
    model as training calls it: the same, or what adds up the gradients of the team's workers around it."""

    seed: int
    device: torch.device
    team: Team
    model: nn.Module
    joined: nn.Module
    ema: AveragedModel | None
    objective: nn.Module
    measures: Measures
    optimizer: torch.optim.Optimizer
    base_lrs: tuple[float, ...]
    schedule: Schedule
    augmentations: tuple[Augmentation, ...]
    generator: torch.Generator
    clip_grad_norm: float | None

    @property
    def evaluated(self) -> nn.Module:
        """The model whose weights are judged and kept: the moving average where there is one."""
        return self.model if self.ema is None else self.ema.module

    @property
    def num_parameters(self) -> int:
        """Trainable numbers of the model."""
        return sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)


def assemble(trial: Trial, data: PreparedData, device: torch.device, steps_per_epoch: int, team: Team = SOLO) -> Parts:
    """Build every part as it stands before the first step.

    Raises DataError `data-mismatch` and TrainingError `model-not-buildable`, `model-output-shape`, and
    `<part>-not-buildable` for the objective, optimizer, schedule, augmentations and metrics.
    """
    config = trial.config
    seed_everything(key(trial.seed, "init"), device)
    model = _build_model(infer_facts(config["model"], data.facts), data, device)
    with _named("objective"):
        class_counts = torch.from_numpy(data.class_counts)
        setting = {name: value for name, value in config["objective"].items() if name != "metrics"}
        objective = build("objectives", setting, class_counts).to(device)
    with _named("metrics"):
        measures = build_measures(config["objective"]["metrics"], objective, len(data.class_names), device)
    training = config["training"]
    with _named("optimizer"):
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = build("optimizers", training["optimizer"], trainable)
    with _named("schedule"):
        schedule = build_schedule(training["schedule"], num_epochs=training["epochs"], steps_per_epoch=steps_per_epoch)
    with _named("augmentations"):
        augmentations = tuple(build("augmentations", setting) for setting in config["data"]["augment"])
    regularization = config["regularization"]
    return Parts(
        seed=trial.seed,
        device=device,
        team=team,
        model=model,
        joined=team.joined(model, device),
        ema=_moving_average(model, regularization["ema_decay"]),
        objective=objective,
        measures=measures,
        optimizer=optimizer,
        base_lrs=tuple(group["lr"] for group in optimizer.param_groups),
        schedule=schedule,
        augmentations=augmentations,
        generator=torch.Generator(device),
        clip_grad_norm=None if regularization["clip_grad_norm"] == "none" else regularization["clip_grad_norm"],
    )


@contextmanager
def _named(part: str, *, code: str | None = None) -> Iterator[None]:
    """Turns what a component, maybe the user's own, raises while it is built into a TrainingError that names it."""
    try:
        yield
    except (TrainingError, DataError):
        raise
    except Exception as error:
        raise TrainingError(code or f"{part}-not-buildable", f"{part}: {type(error).__name__}: {error}") from error


def _build_model(setting: Mapping[str, Any], data: PreparedData, device: torch.device) -> nn.Module:
    # On the CPU first: initial weights are then the same on every device.
    with _named(f"model {setting['kind']}", code="model-not-buildable"):
        model: nn.Module = build("models", setting).to(device)
    inputs = torch.from_numpy(data.splits["train"].inputs[:2]).to(device)
    shape = tuple(inputs.shape[1:])
    with _named(f"model {setting['kind']} on samples of shape {shape}", code="model-not-buildable"), torch.no_grad():
        # Also gives lazy layers their shape, before the optimizer asks for parameters.
        logits = model.eval()(inputs)
    expected = (len(inputs), len(data.class_names))
    found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if found != expected:
        raise TrainingError(
            "model-output-shape",
            f"model {setting['kind']} turned a batch of shape {tuple(inputs.shape)} into {found}; "
            f"expected logits (batch, num_classes) = {expected}",
        )
    return model


def _moving_average(model: nn.Module, decay: float | str) -> AveragedModel | None:
    if isinstance(decay, str):
        return None
    # No device: its step counter then stays on the CPU, where reading it at every step does not wait for the GPU.
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]
