"""Builds the teachers that an objective distils: finished trials of the store, which stay as they are."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from craftc.components.declared import frozen_parts
from craftc.schemas.diagnostic import format_path
from craftc.schemas.terms import summands
from craftc.training.data.device_split import Batch
from craftc.training.data.facts import infer_facts
from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.error_context import errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.seal import DamagedError
from craftc.training.foundation.trial_config import read_config
from craftc.training.frozen.backbone import read_weights
from craftc.training.parts.calls import Calls
from craftc.training.parts.model import Tried, build_model
from craftc.training.parts.objective import TEACHER
from craftc.training.parts.terms import parts_of

UNFIT = "teacher-unfit"
ALIKE = ("source", "target", "splits", "normalize", "layout")
"""Keys of `data` that decide which samples a model is given, and as what."""


class Teacher:
    """The logits (B, ...) of a batch as the student is given it, by a model in eval mode and without a gradient."""

    def __init__(self, model: nn.Module, calls: Calls) -> None:
        self._model, self._calls = model, calls

    def __call__(self, batch: Batch) -> Tensor:
        """As the model was trained to."""
        with torch.no_grad():
            output = self._calls.predict(self._model, batch)
        return output if isinstance(output, Tensor) else output[str(self._calls.main)]


def build_teachers(
    config: Mapping[str, Any],
    objective: nn.Module,
    data: PreparedData,
    tried: Tried,
    device: torch.device,
    kept: torch.dtype,
) -> tuple[tuple[str, Teacher], ...]:
    """The teacher of each part of an objective that has one, by the name by which that asks for its output; `tried` is
    the student.

    Raises TrainingError `teacher-unfit`, `weights-unusable` and what building a model raises.
    """
    found = []
    for place, part in zip(summands(config["objective"]), parts_of(objective).values(), strict=True):
        path = getattr(part, TEACHER, None)
        if isinstance(path, Path):
            name = f"{format_path(place)}.{TEACHER}"
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                found.append((name, _teacher(path, name, config["data"], data, tried, device, kept)))
    return tuple(found)


def _teacher(
    path: Path, place: str, here: Mapping[str, Any], data: PreparedData, student: Tried, device: torch.device,
    kept: torch.dtype,
) -> Teacher:  # fmt: skip
    try:
        trained = read_config(path.parent.parent)
        setting, there = dict(trained["model"]), dict(trained["data"])
    except DamagedError as error:
        message = f"{place}: {path.parent.parent / 'config.json'} {error}; craftc verify --fix writes it again"
        raise TrainingError(UNFIT, message) from None
    except (OSError, ValueError, KeyError, TypeError):
        message = f"{place}: {path} is no checkpoint of a trial, whose configuration says what model it is of"
        raise TrainingError(UNFIT, f"{message}; write trial:ID") from None
    trial = path.parent.parent.name[:12]
    differing = [name for key in ALIKE for name in _differing(here.get(key), there.get(key), f"data.{key}")]
    if differing:
        message = f"{place}: trial {trial} was trained on other data, or on data prepared otherwise: it differs in"
        hint = "distil from a trial of the same data, or write the data as that trial has it"
        raise TrainingError(UNFIT, f"{message} {', '.join(differing[:3])}; {hint}")
    if frozen_parts(setting["kind"]) is not None:
        message = f"{place}: trial {trial} trained a head on a frozen backbone, which is given other inputs"
        raise TrainingError(UNFIT, f"{message}; distil from a trial that trained a whole model")
    tried = build_model(infer_facts(setting, data.facts, f"the model of trial {trial}"), data, device)
    with errors_of(f"weights of {path}", code="weights-unusable"):
        tried.model.load_state_dict(dict(read_weights(path, None)))
    ours, theirs = student.given.output.shape, tried.given.output.shape
    if ours != theirs:
        message = f"{place}: trial {trial} gives logits {tuple(theirs)} where the model gives {tuple(ours)}"
        raise TrainingError(UNFIT, message)
    return Teacher(tried.model.to(kept).eval().requires_grad_(False), tried.calls)


def _differing(here: Any, there: Any, place: str) -> Iterator[str]:
    """The places at which two configurations differ; a key that one of them lacks has its default there."""
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        for key in here:
            if key in there:
                yield from _differing(here[key], there[key], f"{place}.{key}")
    elif here != there and None not in (here, there):
        yield place
