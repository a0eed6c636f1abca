"""The angle between vectors as a metric.

It is a torchmetrics metric: `update(outputs, targets, mask)` and `compute()`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from craftc.components.lean_torchmetrics import Metric, dim_zero_cat
from craftc.components.objectives.cosine import similarities


class CosineSimilarity(Metric):
    """Mean over vectors of the cosine similarity of output and target, from -1 to 1.

    The last axis is a vector: (B, D) has one of each sample, (B, T, D) T of them. A column `mask` leaves vectors out
    where the data has one. The trivial predictor gives the mean vector.
    """

    takes_targets = ("real", "vectors")
    trivial = "mean"
    mode = "max"
    bounds = (-1.0, 1.0)
    higher_is_better = True
    full_state_update = False
    identity = "mean cosine similarity, each vector weighing 1"
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        # float32 loses digits over many samples.
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> None:
        """Take in a batch, (B, ..., D) and (B, ..., D)."""
        found = similarities("cosine_similarity", outputs.double(), targets.double(), mask)
        share = torch.ones_like(found)
        if mask is not None:
            share = share * mask.to(found.dtype).view(*mask.shape, *[1] * (found.dim() - mask.dim()))
        self.total += (found * share).sum()
        self.count += share.sum()

    def compute(self) -> Tensor:
        """A scalar from -1 to 1."""
        return self.total / self.count


class CentredCosineSimilarity(Metric):
    """Mean over vectors of the cosine similarity of output and target, each less the mean target, from -1 to 1.

    Vectors that share a large mean, as word vectors do, are alike in every direction from zero: their mean alone is
    similar to each of them (Mu and Viswanath 2018). Here an output at the mean has no direction, and counts 0. The
    mean is that of the targets that are measured. A column `mask` leaves vectors out where the data has one. The
    trivial predictor gives the mean vector of train, which lies near that mean.
    """

    takes_targets = ("real", "vectors")
    trivial = "mean"
    mode = "max"
    bounds = (-1.0, 1.0)
    higher_is_better = True
    full_state_update = False
    identity = "mean cosine similarity behind the mean target, each vector weighing 1"
    outputs: list[Tensor]
    targets: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("outputs", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> None:
        """Take in a batch, (B, ..., D) and (B, ..., D)."""
        similarities("centred_cosine_similarity", outputs, targets, mask)  # for what it refuses
        leading = targets.shape[:-1]
        counted = torch.ones(leading, dtype=torch.bool, device=targets.device)
        if mask is not None:
            counted = mask.bool().view(*mask.shape, *[1] * (len(leading) - mask.dim())).expand(leading)
        self.outputs.append(outputs[counted])
        self.targets.append(targets[counted])

    def compute(self) -> Tensor:
        """A scalar from -1 to 1."""
        outputs, targets = (dim_zero_cat(each).double() for each in (self.outputs, self.targets))
        mean = targets.mean(0)
        return F.cosine_similarity(outputs - mean, targets - mean, dim=-1).mean()
