"""A contrastive loss of embeddings, as a sum and the weight by which it is to be divided.

B: samples of a batch, V: views of each, D: numbers of an embedding, N = B * V.
"""

from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.bounds import PER_TRIAL, PositiveFloat


class InfoNCE(nn.Module):
    """NT-Xent, the contrastive loss of SimCLR (Chen et al. 2020): each view is to be nearer to the other views of its
    sample than to those of any other sample of the batch, by the cosine of their embeddings.

    It compares the samples of a batch, so its value depends on how many there are: compare variants of one batch size.

    Args:
        temperature: Divides the cosines; the smaller, the more the nearest of the other samples count.
    """

    takes_outputs = ("views",)
    search_ranges: ClassVar = {"temperature": {"log_uniform": [0.05, 1.0]}}
    temperature: Tensor

    def __init__(self, *, temperature: Annotated[PositiveFloat, PER_TRIAL] = 0.5) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.tensor(float(temperature)), persistent=False)

    @property
    def identity(self) -> str:
        """All that defines this loss, in words: values of different identities are not comparable."""
        return f"NT-Xent of the views in a training batch, temperature {float(self.temperature):g}"

    def forward(self, embeddings_BVD: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, V, ...) of V views -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss.

        The mean is over all pairs of views of one sample, in both directions. With two views that is NT-Xent.
        """
        if embeddings_BVD.dim() < 3 or embeddings_BVD.shape[1] < 2:
            shape = tuple(embeddings_BVD.shape)
            raise ValueError(f"info_nce compares views of a sample, (B, V, D) with V >= 2, and was given {shape}")
        num_samples, num_views = embeddings_BVD.shape[:2]
        unit_ND = F.normalize(embeddings_BVD.to(self.temperature.dtype).flatten(2).flatten(0, 1), dim=-1)
        num, device = num_samples * num_views, unit_ND.device
        cosines_NN = unit_ND @ unit_ND.T / self.temperature
        itself_NN = torch.eye(num, dtype=torch.bool, device=device)
        logs_NN = cosines_NN.masked_fill(itself_NN, -torch.inf).log_softmax(-1)
        sample_N = torch.arange(num, device=device) // num_views
        is_pair_NN = (sample_N[:, None] == sample_N) & ~itself_NN
        # Not multiplied by zeros: of a view itself the logarithm is minus infinity.
        per_view_N = -logs_NN.masked_fill(~is_pair_NN, 0.0).sum(-1) / (num_views - 1)
        return per_view_N.sum(), per_view_N.new_full((), num)
