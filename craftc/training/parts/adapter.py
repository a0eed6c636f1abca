"""Adds to a model what `model.adapter` names, so that few of its weights are trained."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from craftc.components.build import build
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError


def adapt(model: nn.Module, setting: Mapping[str, Any]) -> None:
    """Have an adapter change a model in place; what it draws is drawn after the weights of the model.

    Raises TrainingError `model-not-buildable` where it cannot, or where it leaves nothing to be trained.
    """
    name = f"adapter {setting['kind']}"
    with errors_of(name, code="model-not-buildable"):
        adapter = build("adapters", setting)
        if not callable(adapter):
            raise TypeError(f"it gave {described(adapter)}, which cannot be called with a model; {GUIDE}")
        adapter(model)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError("model-not-buildable", f"{name} leaves no parameter of the model to be trained")
