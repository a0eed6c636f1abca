"""Shows how often a classifier is right where it is how sure.

M: predictions of a batch, N: bins.
"""

from typing import Any

import torch

from craftc.components.artefacts.pictures import new_figure, png
from craftc.components.artefacts.trained import Made, Trained
from craftc.components.bounds import PositiveInt


class ReliabilityDiagram:
    """Accuracy by confidence, in bins of equal width (DeGroot and Fienberg 1983; Guo et al. 2017), and their mean
    distance, the expected calibration error.

    Args:
        num_bins: Bins from 0 to 1. A bin has its upper bound, and not its lower one.
    """

    takes_targets = ("class", "token")

    def __init__(self, *, num_bins: PositiveInt = 15) -> None:
        self.num_bins = num_bins

    def make(self, trained: Trained) -> Made:
        """Of all samples."""
        sums_3N = torch.zeros(3, self.num_bins, dtype=torch.float64)
        for logits_MC, targets_M in trained.predictions():
            sure_M, predicted_M = logits_MC.double().softmax(-1).max(-1)
            bin_M = (sure_M * self.num_bins).ceil().long().clamp(1, self.num_bins) - 1
            hits_M = (predicted_M == targets_M).double()
            sums_3N.index_add_(1, bin_M, torch.stack([torch.ones_like(sure_M), sure_M, hits_M]))
        count_N, sure_N, hits_N = sums_3N.unbind()
        error = float((sure_N - hits_N).abs().sum() / count_N.sum())
        bins = [
            {
                "above": number / self.num_bins,
                "to": (number + 1) / self.num_bins,
                "samples": int(count),
                "confidence": None if not count else float(sure / count),
                "accuracy": None if not count else float(hits / count),
            }
            for number, (count, sure, hits) in enumerate(zip(count_N, sure_N, hits_N, strict=True))
        ]
        return Made({"ece": error, "bins": bins}, _table(bins, error), self._picture(bins, error))

    def _picture(self, bins: list[dict[str, Any]], error: float) -> bytes:
        figure = new_figure(4.2, 5.2)
        upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
        found = [each for each in bins if each["samples"]]
        middles = [(each["above"] + each["to"]) / 2 for each in found]
        width = 0.9 / self.num_bins
        upper.bar(middles, [each["accuracy"] for each in found], width, color="#3b6fb6", label="accuracy")
        upper.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle="--", label="as sure as right")
        upper.plot([each["confidence"] for each in found], [each["accuracy"] for each in found], "o", color="#c0504d")
        upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), title=f"expected calibration error {error:.3f}")
        upper.legend(loc="upper left", frameon=False)
        lower.bar(middles, [each["samples"] for each in found], width, color="#999999")
        lower.set(xlabel="confidence", ylabel="samples")
        return png(figure)


def _table(bins: list[dict[str, Any]], error: float) -> str:
    lines = [f"expected calibration error {error:.4f}", "confidence     samples  mean confidence  accuracy"]
    for each in bins:
        if each["samples"]:
            ends = f"{each['above']:.2f} to {each['to']:.2f}"
            lines.append(f"{ends:<13}  {each['samples']:>7}  {each['confidence']:>15.3f}  {each['accuracy']:>8.3f}")
    return "\n".join(lines) + "\n"
