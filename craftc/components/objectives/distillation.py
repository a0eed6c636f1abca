"""What a trained model says of a sample as the target of another, as a sum and the weight that divides it.

B: samples of a batch, C: classes, N: predictions of a batch.
"""

from pathlib import Path
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from craftc.components.bounds import PER_TRIAL, WEIGHTS, PositiveFloat
from craftc.components.objectives.weighing import summed


class Distillation(nn.Module):
    """Distillation (Hinton et al. 2015): the Kullback-Leibler divergence of the student's softened probabilities from
    the teacher's, times the square of the temperature, which keeps its gradients as large as those of hard labels.

    The teacher is a finished trial of the store: the model of its configuration, with its best weights, in evaluation
    mode and without a gradient, on the inputs that the student is given, augmented and normalized alike. It has to be
    trained on the same samples, prepared in the same way. Labels are not read; add them by a term of their own.

    Args:
        teacher: Where the teacher is from: trial:ID for a trial in the store, where ID may be the beginning of one, or
            the checkpoint of a trial.
        temperature: Divides the logits of both; the larger, the more the classes count that the teacher deems
            unlikely.
    """

    takes_targets = ("class", "token")
    search_ranges: ClassVar = {"temperature": {"log_uniform": [1.0, 10.0]}}
    temperature: Tensor

    def __init__(
        self, *, teacher: Annotated[Path, WEIGHTS], temperature: Annotated[PositiveFloat, PER_TRIAL] = 2.0
    ) -> None:
        super().__init__()
        self.teacher = teacher
        self.register_buffer("temperature", torch.tensor(float(temperature)), persistent=False)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        trial = self.teacher.parent.parent.name[:12]
        return f"distillation from {trial or self.teacher}, temperature {float(self.temperature):g}"

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        mask: Tensor | None = None,
        weight: Tensor | None = None,
        *,
        teacher: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, C) of the student and of the teacher -> (loss_sum, weight_sum), two scalars.

        Any further axes stand before C. What a mask of the targets leaves out does not count.
        """
        ours_NC = (logits.flatten(0, -2).to(self.temperature.dtype) / self.temperature).log_softmax(-1)
        theirs_NC = (teacher.flatten(0, -2).to(self.temperature.dtype) / self.temperature).log_softmax(-1)
        # torch.nn.functional.kl_div has no rule for several models at once.
        losses_N = (theirs_NC.exp() * (theirs_NC - ours_NC)).sum(-1)
        return summed(losses_N * self.temperature.square(), None if mask is None else mask.flatten(), weight)
