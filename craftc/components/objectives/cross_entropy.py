"""Cross entropy, as a sum and the weight by which it is to be divided."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import MinLen
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PER_TRIAL, BelowOne, PositiveFloat
from craftc.components.errors import DataError
from craftc.components.many import are_many
from craftc.components.objectives.num_weights import check_num_weights

LEFT_OUT = -100
"""The target that torch leaves out."""
ClassWeights = Literal["balanced", "none"] | Annotated[Sequence[PositiveFloat], MinLen(1)]


class CrossEntropy(nn.Module):
    """Cross entropy over classes, weighted and smoothed as wished.

    Args:
        class_weights: balanced weighs each class by its inverse frequency in the train split, N / (C * n_c), so that
            a sample weighs 1 on average; a list gives one weight per class; none weighs every sample 1.
        label_smoothing: Share of each target spread evenly over all classes (Szegedy et al. 2016).

    Raises:
        DataError: The number of weights is not the number of classes, or a class to be balanced has no sample.
    """

    takes_targets: tuple[str, ...] = ("class", "token")
    trivial = "class_frequencies"
    search_ranges: ClassVar = {"label_smoothing": {"uniform": [0.0, 0.2]}}
    per_trial_attributes: ClassVar = ("label_smoothing", "_rounded", "_weighting")
    weights_C: Tensor
    smoothing: Tensor

    def __init__(
        self,
        class_counts: Tensor,
        /,
        *,
        class_weights: Annotated[ClassWeights, PER_TRIAL] = "none",
        label_smoothing: Annotated[BelowOne, PER_TRIAL] = 0.0,
    ) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self._weighting = class_weights if isinstance(class_weights, str) else [float(w) for w in class_weights]
        # Both are buffers, so that those of the trials of a batch can be stacked.
        self.register_buffer("weights_C", weights_of_classes(class_counts, class_weights), persistent=False)
        self.register_buffer("smoothing", torch.tensor(float(label_smoothing)), persistent=False)
        # As the buffer rounds it, whatever the precision of a step.
        self._rounded = float(self.smoothing)

    def stand_for(self, others: Sequence["CrossEntropy"]) -> None:
        """Smooth where any of these does; how much is in each one's buffer."""
        self.label_smoothing = max(other.label_smoothing for other in others)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        return (
            f"cross entropy over {len(self.weights_C)} classes, class weights {self._weighting}, "
            f"label smoothing {self.label_smoothing:g}"
        )

    def forward(self, logits_BC: Tensor, targets_B: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and class numbers (B,) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss.

        Any further axes stand before C, as in (B, T, C) with (B, T). What a mask of the targets leaves out, as it does
        padding, does not count.
        """
        logits_NC, targets_N = logits_BC.flatten(0, -2), targets_B.flatten()
        mask_N = None if mask is None else mask.flatten()
        if are_many(logits_BC):
            return self._of_many(logits_NC, targets_N, mask_N)
        # A model may compute in bits of its own, half as many or twice; the weights have those of the training.
        logits_NC = logits_NC.to(self.weights_C.dtype)
        counted_N = targets_N if mask_N is None else targets_N.masked_fill(~mask_N, LEFT_OUT)
        loss_sum = F.cross_entropy(
            logits_NC,
            counted_N,
            weight=self.weights_C,
            label_smoothing=self._rounded,
            reduction="sum",
            ignore_index=LEFT_OUT,
        )
        weights_N = self.weights_C[targets_N]
        return loss_sum, (weights_N if mask_N is None else weights_N * mask_N).sum()

    def _of_many(self, logits_NC: Tensor, targets_N: Tensor, mask_N: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same where models are trained as one under vmap, each with its own weights and smoothing."""
        logs_NC = logits_NC.log_softmax(-1)
        weights_N = self.weights_C.index_select(0, targets_N)
        if mask_N is not None:
            weights_N, logs_NC = weights_N * mask_N, logs_NC * mask_N[:, None]
        loss_sum = -(logs_NC.gather(-1, targets_N[:, None])[:, 0] * weights_N).sum()
        if self.label_smoothing > 0:
            spread = -(logs_NC * self.weights_C).sum() / len(self.weights_C)
            loss_sum = loss_sum + self.smoothing * (spread - loss_sum)
        return loss_sum, weights_N.sum()


class LineCrossEntropy(CrossEntropy):
    """Cross entropy of the class of a sample at each of its lines, so that a model may be asked after any of them.

    The loss is the mean over lines of `cross_entropy`. The model returns `line_logits` beside its logits, as
    `scanline_transformer` and `lrcn` do.

    Args:
        class_weights: As of `cross_entropy`.
        label_smoothing: As of `cross_entropy`.
    """

    takes_targets = ("class",)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words."""
        return f"mean over lines of {super().identity}"

    def forward(self, logits_BC: Tensor, targets_B: Tensor, line_logits: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Class numbers (B,) and the logits at each line (B, L, C) -> (loss_sum, weight_sum), two scalars."""
        return super().forward(line_logits, targets_B.unsqueeze(-1).expand(line_logits.shape[:-1]))


def weights_of_classes(counts_C: Tensor, class_weights: str | Sequence[float]) -> Tensor:
    num_classes = len(counts_C)
    if class_weights == "none":
        return torch.ones(num_classes)
    if class_weights == "balanced":
        if not (counts_C > 0).all():
            empty = int((counts_C == 0).nonzero()[0])
            raise DataError(
                "class-missing-from-train",
                f"class {empty} has no sample in the train split, so its balanced weight does not exist",
                "make the train split larger, or set class_weights: none",
            )
        return (counts_C.sum() / (num_classes * counts_C.double())).float()
    check_num_weights(class_weights, num_classes)
    return torch.tensor([float(weight) for weight in class_weights])
