"""Metrics of embeddings, by the classes of their samples.

Each metric is a torchmetrics metric: `update(embeddings (B, D), targets (B,))`, `compute()`.

N: samples of a split.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from craftc.components.lean_torchmetrics import Metric, dim_zero_cat

AT_ONCE = 2**22
"""Cosines that are computed at once: 32 MiB of them."""


class NearestNeighbour(Metric):
    """Share of samples whose nearest neighbour in the same split, by the cosine of their embeddings, is of their class.

    Classes are for this alone: a model that is trained without them can be judged by it. No sample is its own
    neighbour (leave-one-out), and of neighbours that are equally near the first in the split counts.
    """

    takes_targets = ("class",)
    takes_outputs = ("embeddings",)
    mode = "max"
    bounds = (0.0, 1.0)
    higher_is_better = True
    full_state_update = False
    identity = "share of samples whose nearest other sample of the split, by cosine, is of their class"
    embeddings: list[Tensor]
    targets: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("embeddings", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, embeddings_BD: Tensor, targets_B: Tensor) -> None:
        """Take in embeddings (B, D) and class numbers (B,)."""
        # In float64, because float32 makes neighbours of nearly the same cosine equally near.
        self.embeddings.append(F.normalize(embeddings_BD.double().flatten(1), dim=-1))
        self.targets.append(targets_B)

    def compute(self) -> Tensor:
        """A scalar from 0 to 1; of one sample NaN, which has no neighbour."""
        unit_ND, targets_N = dim_zero_cat(self.embeddings), dim_zero_cat(self.targets)
        num = len(targets_N)
        if num < 2:
            return torch.tensor(torch.nan, device=targets_N.device)
        places_N = torch.arange(num, device=targets_N.device)
        found = []
        for places in torch.split(places_N, max(AT_ONCE // num, 1)):
            cosines = unit_ND[places] @ unit_ND.T
            cosines[torch.arange(len(places), device=places.device), places] = -torch.inf
            found.append(cosines.argmax(-1))
        return (targets_N[torch.cat(found)] == targets_N).double().mean()
