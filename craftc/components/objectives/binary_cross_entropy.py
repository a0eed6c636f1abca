"""Cross entropy of several labels of which any number may hold, as a sum and the weight that divides it."""

from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.objectives.weighing import check_same_shape, summed


class BinaryCrossEntropy(nn.Module):
    """Mean over all labels of the cross entropy of each, which holds or does not, whatever the others do."""

    takes_targets = ("classes",)
    trivial = "label_frequencies"
    identity = "mean of the binary cross entropy of every label"

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and labels (B, C) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        check_same_shape("bce", logits, targets)
        return summed(F.binary_cross_entropy_with_logits(logits, targets, reduction="none"), mask, weight)
