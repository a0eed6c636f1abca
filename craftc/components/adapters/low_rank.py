"""Adapters of low rank, as the library peft has them, for any model: its own weights stay, a small part is trained."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from torch import nn

from craftc.components.bounds import BelowOne, Name, PositiveFloat, PositiveInt
from craftc.components.declare import declares

Patterns = Name | list[Name]


class Unadapted:
    """The model as it is: all of its weights are trained."""

    def __call__(self, model: nn.Module) -> None:
        """Change nothing."""


@declares(packages={"peft": "peft"}, search_ranges={"rank": {"int": [2, 32]}, "dropout": {"uniform": [0.0, 0.3]}})
class Lora:
    """LoRA (Hu et al. 2022): to the weights W of a layer, which stay, is added alpha / rank * B A; A and B are trained.

    B begins with 0, so that the model begins as it was. What is not adapted stays as it is, but for the layers of
    `trained`. Nothing of it needs a model to know of adapters.

    Args:
        rank: Rows of A and columns of B.
        alpha: What the product is scaled by, times 1 / rank.
        dropout: Probability that a number of what A is given is zeroed during training.
        targets: Which layers are adapted: names of modules or patterns of them, `model.layer.*.q_proj`, each a linear
            layer, a convolution or an embedding. infer: every linear layer that is not `trained`.
        trained: Which modules are trained whole: names or patterns. infer: the last linear layer, which is the head of
            most models; none: nothing beside the adapters.
    """

    use_dora = False

    def __init__(
        self,
        *,
        rank: PositiveInt = 8,
        alpha: PositiveFloat = 16.0,
        dropout: BelowOne = 0.0,
        targets: Literal["infer"] | Patterns = "infer",
        trained: Literal["infer", "none"] | Patterns = "infer",
    ) -> None:
        self.rank, self.alpha, self.dropout = rank, alpha, dropout
        self.targets, self.trained = targets, trained

    def __call__(self, model: nn.Module) -> None:
        """Add the adapters to a model, in place, and have its other parameters not be trained. Raises ValueError."""
        from peft import LoraConfig, inject_adapter_in_model

        linear = _linear_layers(model)
        trained = _trained(self.trained, model, linear)
        if self.targets == "infer":
            targets = [name for name in linear if not any(_is_within(name, whole) for whole in trained)]
            if not targets:
                raise ValueError("targets: the model has no linear layer to adapt; name its layers")
        else:
            targets = _matching("targets", self.targets, model)
        asked: dict[str, Any] = {"r": self.rank, "lora_alpha": self.alpha, "lora_dropout": self.dropout}
        # As a pattern of whole names: of a list, peft takes each for the end of a name.
        whole_names = "|".join(re.escape(name) for name in targets)
        inject_adapter_in_model(LoraConfig(**asked, target_modules=whole_names, use_dora=self.use_dora), model)
        for name in trained:
            model.get_submodule(name).requires_grad_(True)


@declares(packages={"peft": "peft"}, search_ranges={"rank": {"int": [2, 32]}, "dropout": {"uniform": [0.0, 0.3]}})
class Dora(Lora):
    """DoRA (Liu et al. 2024): as LoRA, with the norm of each output's weights trained apart from their direction.

    Args:
        rank: Rows of A and columns of B.
        alpha: What the product is scaled by, times 1 / rank.
        dropout: Probability that a number of what A is given is zeroed during training.
        targets: Which layers are adapted: names of modules or patterns of them, `model.layer.*.q_proj`, each a linear
            layer, a convolution or an embedding. infer: every linear layer that is not `trained`.
        trained: Which modules are trained whole: names or patterns. infer: the last linear layer, which is the head of
            most models; none: nothing beside the adapters.
    """

    use_dora = True


def _linear_layers(model: nn.Module) -> list[str]:
    """Without those that torch's attention never calls, since it reads their weights."""
    attention = [name for name, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)]
    found = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and name]
    return [name for name in found if not any(_is_within(name, outer) for outer in attention)]


def _trained(asked: str | Sequence[str], model: nn.Module, linear: Sequence[str]) -> list[str]:
    if asked == "none":
        return []
    return list(linear[-1:]) if asked == "infer" else _matching("trained", asked, model)


def _is_within(name: str, outer: str) -> bool:
    return name == outer or name.startswith(f"{outer}.")


def _matching(argument: str, asked: str | Sequence[str], model: nn.Module) -> list[str]:
    names = [name for name, _ in model.named_modules() if name]
    found: list[str] = []
    for pattern in [asked] if isinstance(asked, str) else asked:
        its = [name for name in names if fnmatchcase(name, pattern)]
        if not its:
            of_linear = ", ".join(_linear_layers(model)[:6])
            raise ValueError(f'{argument}: no module of the model is named "{pattern}"; linear layers are {of_linear}')
        found += [name for name in its if name not in found]
    return found
