"""A head on the features of an image model: of its class token, of the mean of its patches, or of both, by layer.

Shapes: B images, P tokens in front of the patches, T patches, D width of a layer, F features.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from craftc.components.bounds import PositiveInt

Pooling = Literal["cls", "patches", "both"]
Layers = Literal["last"] | list[PositiveInt]


class Tokens(NamedTuple):
    """What a layer makes of images: `cls` (B, D) where the model has a class token, and `patches` (B, T, D)."""

    cls: Tensor | None
    patches: Tensor


class PooledFeatures(nn.Module):
    """A linear layer, behind dropout, on what `look` finds in the layers of a backbone.

    Features are those of the layers side by side, and of each layer the class token (`cls`), the mean of the `patches`,
    or `both` side by side, as in the linear probes of DINO (Caron et al. 2021, Oquab et al. 2024).
    """

    def __init__(
        self,
        backbone: nn.Module,
        look: Callable[[nn.Module, Tensor], Sequence[Tokens]],
        example_1CHW: Tensor,
        *,
        pooling: Pooling,
        dropout: float,
        num_classes: int,
    ) -> None:
        """Looks at one image to see how wide the features are. Raises ValueError where there is no class token."""
        super().__init__()
        self.backbone, self._look, self._pooling = backbone, look, pooling
        was_training = backbone.training
        with torch.no_grad():
            backbone.eval()
            width = self.features(example_1CHW).shape[1]
        backbone.train(was_training)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)

    def features(self, x_BCHW: Tensor) -> Tensor:
        """(B, F)."""
        return torch.cat([pooled(tokens, self._pooling) for tokens in self._look(self.backbone, x_BCHW)], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W), or (B, H, W) of one channel -> logits (B, num_classes)."""
        x_BCHW = x if x.dim() == 4 else x.unsqueeze(1)
        logits: Tensor = self.head(self.dropout(self.features(x_BCHW)))
        return logits


def pooled(tokens: Tokens, pooling: Pooling) -> Tensor:
    """The features (B, D) of a layer, or (B, 2 D) of both. Raises ValueError where there is no class token."""
    mean_BD = tokens.patches.mean(1)
    if pooling == "patches":
        return mean_BD
    if tokens.cls is None:
        raise ValueError(f"the model has no class token, which pooling: {pooling} needs; write pooling: patches")
    return tokens.cls if pooling == "cls" else torch.cat([tokens.cls, mean_BD], 1)
