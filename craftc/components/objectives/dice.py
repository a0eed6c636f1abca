"""The overlap of predicted and true regions as a loss, as a sum and the weight by which it is to be divided.

B: samples of a batch, C: classes or labels, N: predictions of a batch, such as pixels.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PositiveFloat


class Dice(nn.Module):
    """Soft Dice (Milletari et al. 2016): 1 - 2 sum(p g) / (sum(p^2) + sum(g^2)) of each class or label, where p are the
    predicted probabilities and g is 1 where the class is and 0 elsewhere; the mean over classes.

    The sums are over all predictions of a batch, so its value depends on how many there are: compare variants of one
    batch size. In evaluation it is the mean over batches, each by its number of predictions. Small regions count as
    much as large ones. Often added to a cross entropy, as a term.

    Args:
        smooth: Added above and below the fraction, so that a class that is nowhere, and is not predicted, has none.
        squared: Whether p and g are squared below the fraction, as in the paper; false sums them as they are.
    """

    takes_targets = ("class", "classes")
    compares_samples = True
    search_ranges: ClassVar = {"squared": {"choice": [True, False]}}

    def __init__(self, *, smooth: PositiveFloat = 1.0, squared: bool = True) -> None:
        super().__init__()
        self.smooth, self.squared = smooth, squared

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        how = "of squares" if self.squared else "of probabilities"
        return f"soft Dice {how} of a training batch, mean over classes, smooth {self.smooth:g}"

    def forward(self, logits_BC: Tensor, targets: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, C) with class numbers (B,), or with labels (B, C) -> (loss_sum, weight_sum), two scalars.

        Any further axes stand before C. What a mask of the targets leaves out does not count.
        """
        logits_NC = logits_BC.flatten(0, -2)
        if targets.is_floating_point():
            p_NC, g_NC = logits_NC.sigmoid(), targets.flatten(0, -2)
        else:
            p_NC, g_NC = logits_NC.softmax(-1), F.one_hot(targets.flatten(), logits_NC.shape[-1]).to(logits_NC.dtype)
        counted_N = p_NC.new_ones(len(p_NC)) if mask is None else mask.flatten().to(p_NC.dtype)
        p_NC, g_NC = p_NC * counted_N[:, None], g_NC * counted_N[:, None]
        below_C = (p_NC.square() + g_NC.square() if self.squared else p_NC + g_NC).sum(0)
        dice_C = (2 * (p_NC * g_NC).sum(0) + self.smooth) / (below_C + self.smooth)
        num = counted_N.sum()
        return (1 - dice_C).mean() * num, num
