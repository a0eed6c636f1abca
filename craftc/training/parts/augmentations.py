"""Builds the augmentations of a spec, which change a batch by the trial's seed and the step."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from craftc.components.build import build
from craftc.components.numbers import Key, Numbers
from craftc.schemas.catalogue import is_own
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.random import key, seed_everything, step_key


@dataclass(frozen=True)
class Augmentation:
    """A callable from (B, *shape) to (B, *shape). It draws from what it `takes` as its second argument; of those that
    take nothing, from the global generators."""

    apply: Callable[..., Tensor]
    takes: Literal["numbers", "generator", "nothing"]


@dataclass(frozen=True)
class Augmentations:
    """What is done to each batch of training, in order."""

    steps: tuple[Augmentation, ...]
    generator: torch.Generator

    def __call__(self, x_B: Tensor, *, seed: int, step: int) -> Tensor:
        """The batch of a trial's step, which counts from 0; its random numbers depend on the seed and step alone."""
        if not self.steps:
            return x_B
        if any(augmentation.takes == "generator" for augmentation in self.steps):
            self.generator.manual_seed(key(seed, "augmentation", step))
        if any(augmentation.takes == "nothing" for augmentation in self.steps):
            seed_everything(key(seed, "augmentation", step), x_B.device)
        return self.by_key(x_B, step_key(seed, "augmentation", step))

    @property
    def are_keyed(self) -> bool:
        """Whether a key is all that their random numbers come from."""
        return all(augmentation.takes == "numbers" for augmentation in self.steps)

    def by_key(self, x_B: Tensor, key: Key) -> Tensor:
        """The batch, by the key of its trial and step; where `are_keyed`, under vmap over K of both, too."""
        numbers = Numbers(key, x_B.device)
        for augmentation in self.steps:
            given = {"numbers": (numbers,), "generator": (self.generator,), "nothing": ()}[augmentation.takes]
            x_B = augmentation.apply(x_B, *given)
        return x_B


def build_augmentations(settings: Sequence[Mapping[str, Any]], x_B: Tensor) -> Augmentations:
    """From `data.augment`. Those of the user's own are tried on a few inputs, `x_B`.

    Raises TrainingError `augmentations-not-buildable` and `augmentation-failed`.
    """
    with errors_of("augmentations", code="augmentations-not-buildable"):
        steps = tuple(_build(setting, x_B.device) for setting in settings)
    built = Augmentations(steps, torch.Generator(x_B.device))
    for setting, augmentation in zip(settings, steps, strict=True):
        if is_own(setting["kind"]):
            _try(setting["kind"], Augmentations((augmentation,), built.generator), x_B)
    return built


def _build(setting: Mapping[str, Any], device: torch.device) -> Augmentation:
    found = build("augmentations", setting)
    if not callable(found):
        raise TypeError(f"{setting['kind']} gave {described(found)}, which cannot be called; {GUIDE}")
    if isinstance(found, nn.Module):
        found = found.to(device)
    return Augmentation(found, _takes(found))


def _takes(augment: Callable[..., Any]) -> Literal["numbers", "generator", "nothing"]:
    """What it names, or else the generator if it cannot do without a second argument."""
    try:
        signature = inspect.signature(augment.forward if isinstance(augment, nn.Module) else augment)
    except (TypeError, ValueError):
        return "nothing"
    if "numbers" in signature.parameters:
        return "numbers"
    if "generator" in signature.parameters:
        return "generator"
    required = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return "generator" if len(required) == 2 else "nothing"


def _try(kind: str, augmentation: Augmentations, x_B: Tensor) -> None:
    name = f"augmentation {kind}"
    with errors_of(f"{name} on inputs {tuple(x_B.shape)}", code="augmentation-failed", hint=GUIDE):
        augmented = augmentation(x_B.clone(), seed=0, step=0)
    if not isinstance(augmented, Tensor) or augmented.shape != x_B.shape or augmented.dtype != x_B.dtype:
        message = f"{name} turned inputs {tuple(x_B.shape)} of {x_B.dtype} into {described(augmented)}"
        raise TrainingError("augmentation-failed", f"{message}; expected the same shape and type")
