"""A network of fully connected layers, for inputs of any shape."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from annotated_types import MinLen
from torch import Tensor, nn

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveInt

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class MLP(nn.Module):
    """Fully connected layers over the flattened input.

    Args:
        num_features: Values of one sample.
        num_classes: Outputs of one sample: logits of classes or labels, or as many quantities as its target has.
        hidden: Width of each hidden layer.
        activation: Nonlinearity after each hidden layer.
        dropout: Probability that a hidden value is zeroed during training.
    """

    takes = ("images", "table")
    empty_means: ClassVar = {"hidden": "without hidden layers it is the model linear: {kind: linear}"}
    search_ranges: ClassVar = {
        "hidden": {"choice": [[64], [128], [256], [512], [128, 128], [256, 256], [512, 512]]},
        "dropout": {"uniform": [0.0, 0.5]},
    }

    def __init__(
        self,
        *,
        num_features: PositiveInt,
        num_classes: PositiveInt,
        hidden: Annotated[Sequence[PositiveInt], MinLen(1)] = (128,),
        activation: Literal["relu", "gelu", "silu", "tanh"] = "relu",
        dropout: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        widths = [num_features, *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for width_in, width_out in zip(widths, hidden, strict=False):
            layers += [nn.Linear(width_in, width_out), _ACTIVATIONS[activation](), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *shape) -> logits (B, num_classes)."""
        logits: Tensor = self.layers(x)
        return logits
