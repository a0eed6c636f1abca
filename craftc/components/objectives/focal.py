"""Losses that count what is easy less, each as a sum and the weight by which it is to be divided.

B: samples of a batch, C: classes or labels, N: predictions of a batch.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PER_TRIAL, BelowOne, NonNegativeFloat, Probability
from craftc.components.many import are_many
from craftc.components.objectives.cross_entropy import ClassWeights, weights_of_classes
from craftc.components.objectives.weighing import check_same_shape, summed

LEAST = 1e-8
"""Below which a probability counts as this, in a logarithm and as what is raised to a power."""


class Focal(nn.Module):
    """The focal loss of classes (Lin et al. 2017): the cross entropy of each prediction times (1 - p)^gamma, where p is
    the probability of its class. With gamma 0 it is the cross entropy.

    Its best constant is not that of the class frequencies, so it has no trivial row.

    Args:
        gamma: How much less a prediction counts that is right already; 0 counts all alike.
        class_weights: As of cross_entropy: balanced weighs each class by its inverse frequency in the train split; a
            list gives one weight per class; none weighs every sample 1.

    Raises:
        DataError: The number of weights is not the number of classes, or a class to be balanced has no sample.
    """

    takes_targets = ("class", "token")
    search_ranges: ClassVar = {"gamma": {"uniform": [0.5, 5.0]}, "class_weights": {"choice": ["none", "balanced"]}}
    per_trial_attributes: ClassVar = ("_weighting",)
    weights_C: Tensor
    gamma: Tensor

    def __init__(
        self,
        class_counts: Tensor,
        /,
        *,
        gamma: Annotated[NonNegativeFloat, PER_TRIAL] = 2.0,
        class_weights: Annotated[ClassWeights, PER_TRIAL] = "none",
    ) -> None:
        super().__init__()
        self._weighting = class_weights if isinstance(class_weights, str) else [float(w) for w in class_weights]
        self.register_buffer("weights_C", weights_of_classes(class_counts, class_weights), persistent=False)
        self.register_buffer("gamma", torch.tensor(float(gamma)), persistent=False)

    def stand_for(self, others: Sequence["Focal"]) -> None:
        """Nothing: each one's numbers are in its buffers."""

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        weights = f"class weights {self._weighting}"
        return f"focal loss over {len(self.weights_C)} classes, gamma {float(self.gamma):g}, {weights}"

    def forward(self, logits_BC: Tensor, targets_B: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and class numbers (B,) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss.

        Any further axes stand before C. What a mask of the targets leaves out does not count.
        """
        logits_NC, targets_N = logits_BC.flatten(0, -2).to(self.weights_C.dtype), targets_B.flatten()
        place_N1 = targets_N[:, None]
        logs_NC = logits_NC.log_softmax(-1)
        log_p_N = logs_NC.gather(-1, place_N1)[:, 0]
        # The logarithm of 1 - p, from the other classes: exact where p is almost 1, and of a finite gradient.
        is_target_NC = torch.arange(logits_NC.shape[-1], device=logits_NC.device) == place_N1
        log_rest_N = logs_NC.masked_fill(is_target_NC, -torch.inf).logsumexp(-1)
        weights_N = self.weights_C.index_select(0, targets_N) if are_many(logits_BC) else self.weights_C[targets_N]
        if mask is not None:
            weights_N = weights_N * mask.flatten()
        losses_N = -(self.gamma * log_rest_N).exp() * log_p_N
        return (losses_N * weights_N).sum(), weights_N.sum()


class MultilabelFocal(nn.Module):
    """The focal loss of labels (Lin et al. 2017): the binary cross entropy of each label times (1 - p)^gamma, where p
    is the probability of what holds of it.

    Args:
        gamma: How much less a label counts that is right already; 0 counts all alike.
        alpha: Weight of labels that hold; those that do not weigh 1 - alpha. none weighs all 1.
    """

    takes_targets = ("classes",)
    search_ranges: ClassVar = {"gamma": {"uniform": [0.5, 5.0]}, "alpha": {"uniform": [0.1, 0.9]}}
    gamma: Tensor

    def __init__(
        self, *, gamma: Annotated[NonNegativeFloat, PER_TRIAL] = 2.0, alpha: Probability | Literal["none"] = "none"
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.register_buffer("gamma", torch.tensor(float(gamma)), persistent=False)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        alpha = self.alpha if isinstance(self.alpha, str) else f"{self.alpha:g}"
        return f"mean of the focal loss of every label, gamma {float(self.gamma):g}, alpha {alpha}"

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and labels (B, C) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        check_same_shape("multilabel_focal", logits, targets)
        cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        # The logarithm of the probability of what does not hold.
        log_rest = F.logsigmoid(logits * (1 - 2 * targets))
        losses = cross_entropy * (self.gamma * log_rest).exp()
        if not isinstance(self.alpha, str):
            losses = losses * (self.alpha * targets + (1 - self.alpha) * (1 - targets))
        return summed(losses, mask, weight)


class Asymmetric(nn.Module):
    """The asymmetric loss of labels (Ridnik et al. 2021): a focal loss that counts easy labels that do not hold much
    less than those that hold, and those below a probability not at all.

    Args:
        gamma_negative: How much less a label counts that does not hold, and is right already.
        gamma_positive: The same of one that holds.
        clip: Labels that do not hold count nothing up to this probability, which is taken from those above.
    """

    takes_targets = ("classes",)
    search_ranges: ClassVar = {
        "gamma_negative": {"uniform": [1.0, 6.0]},
        "gamma_positive": {"uniform": [0.0, 2.0]},
        "clip": {"uniform": [0.0, 0.2]},
    }
    gamma_negative: Tensor
    gamma_positive: Tensor
    clip: Tensor

    def __init__(
        self,
        *,
        gamma_negative: Annotated[NonNegativeFloat, PER_TRIAL] = 4.0,
        gamma_positive: Annotated[NonNegativeFloat, PER_TRIAL] = 1.0,
        clip: Annotated[BelowOne, PER_TRIAL] = 0.05,
    ) -> None:
        super().__init__()
        for name, value in {"gamma_negative": gamma_negative, "gamma_positive": gamma_positive, "clip": clip}.items():
            self.register_buffer(name, torch.tensor(float(value)), persistent=False)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        gammas = f"gamma {float(self.gamma_negative):g} and {float(self.gamma_positive):g}"
        return f"mean of the asymmetric loss of every label, {gammas}, clip {float(self.clip):g}"

    def forward(
        self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and labels (B, C) -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        check_same_shape("asymmetric", logits, targets)
        holds = logits.sigmoid()
        not_holds = (1 - holds + self.clip).clamp(max=1)
        p = holds * targets + not_holds * (1 - targets)
        gamma = self.gamma_positive * targets + self.gamma_negative * (1 - targets)
        # Where p is 1 its logarithm is 0, whatever it is multiplied by; a power of 0 has no finite gradient.
        losses = -p.clamp(min=LEAST).log() * (1 - p).clamp(min=LEAST).pow(gamma)
        return summed(losses, mask, weight)
