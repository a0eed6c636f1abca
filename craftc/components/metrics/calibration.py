"""The metric of how well a classifier knows how sure it may be.

B: samples, C: classes, N: bins.
"""

import torch
from torch import Tensor

from craftc.components.lean_torchmetrics import Metric

NUM_BINS = 15


class ExpectedCalibrationError(Metric):
    """Mean distance between how sure a model is and how often it is right (ECE; Naeini et al., 2015; Guo et al., 2017).

    Predictions are sorted by the probability of their class into 15 bins of equal width; each bin weighs what it holds.
    A predictor that gives every sample the class frequencies is calibrated, so that there is no trivial one to beat.
    """

    # torchmetrics takes outputs for probabilities where all of them happen to lie between 0 and 1, and computes in
    # float32, in which every prediction beyond 1 - 6e-8 is certain.
    takes_targets = ("class", "token")
    mode = "min"
    bounds = (0.0, 1.0)
    higher_is_better = False
    full_state_update = False
    num_N: Tensor
    confidence_N: Tensor
    hits_N: Tensor

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        self.num_classes = num_classes
        for name in ("num_N", "confidence_N", "hits_N"):
            self.add_state(name, default=torch.zeros(NUM_BINS, dtype=torch.float64), dist_reduce_fx="sum")

    @property
    def identity(self) -> str:
        """All that defines this number, in words."""
        return f"expected calibration error, {self.num_classes} classes, {NUM_BINS} bins of equal width, L1"

    def update(self, logits_BC: Tensor, targets_B: Tensor) -> None:
        """Take in logits (B, C) and class numbers (B,)."""
        confidence_B, predicted_B = logits_BC.double().softmax(-1).max(-1)
        # A bin has its upper bound, and not its lower one.
        bin_B = (confidence_B * NUM_BINS).ceil().long().clamp(1, NUM_BINS) - 1
        for state, values_B in (
            (self.num_N, torch.ones_like(confidence_B)),
            (self.confidence_N, confidence_B),
            (self.hits_N, (predicted_B == targets_B).double()),
        ):
            state.index_add_(0, bin_B, values_B)

    def compute(self) -> Tensor:
        """A scalar from 0 to 1."""
        return (self.confidence_N - self.hits_N).abs().sum() / self.num_N.sum()
