"""Divides the trained parameters of a model into layers, by which their gradients are told of.

P: trained parameters of a model, L: layers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from craftc.schemas.catalogue import GRADIENT_NORMS

_OF_STACKED = re.compile(r"_l(\d+)(_reverse)?$")
"""The end of the name of a parameter in torch's recurrent modules, each of which holds several layers."""


@dataclass(frozen=True)
class Layers:
    """The layers of a model by `names`. `places` (P,) are those of its trained parameters among all that
    `model.parameters()` gives, and `numbers` (P,) the layer of each. Where `skips_overflows`, a step whose gradient is
    not finite is none, as with the scaled losses of fp16."""

    names: tuple[str, ...]
    places: tuple[int, ...]
    numbers: tuple[int, ...]
    skips_overflows: bool = False


def build_layers(evaluation: Mapping[str, Any], model: nn.Module, *, skips_overflows: bool) -> Layers | None:
    """Those of a model whose section `evaluation` asks for norms of gradients; None of any other. Frozen parameters are
    in no layer."""
    return layers_of(model, skips_overflows=skips_overflows) if evaluation.get(GRADIENT_NORMS) else None


def layers_of(model: nn.Module, *, skips_overflows: bool = False) -> Layers:
    """A layer is a module with parameters of its own, by its name in the model, `encoder.0`; in a recurrent module of
    torch that has several, each of them, `encoder.l0`. A parameter of the model itself is one by its own name."""
    of_parameters = {
        place: _layer_of(model, name)
        for place, (name, parameter) in enumerate(model.named_parameters())
        if parameter.requires_grad
    }
    names = tuple(dict.fromkeys(of_parameters.values()))
    number_of = {name: number for number, name in enumerate(names)}
    numbers = tuple(number_of[name] for name in of_parameters.values())
    return Layers(names, tuple(of_parameters), numbers, skips_overflows)


def _layer_of(model: nn.Module, name: str) -> str:
    owner, _, own = name.rpartition(".")
    module = model.get_submodule(owner)
    if isinstance(module, nn.RNNBase) and module.num_layers > 1 and (found := _OF_STACKED.search(own)):
        return f"{owner}.l{found[1]}" if owner else f"l{found[1]}"
    return owner or own
