"""Metrics of transcripts, which need not be as long as outputs are.

B: samples of a batch, T: steps of an output, C: tokens and the blank, L: tokens of the longest transcript.
"""

import torch
from torch import Tensor

from craftc.components.lean_torchmetrics import Metric
from craftc.components.sources.columns import BLANK

FIRST_LETTER = 0x10000
"""Each token is a letter from this on, for what measures texts: Unicode has no gaps above."""


class CharacterErrorRate(Metric):
    """Errors of each token of the transcripts: the fewest tokens to put in, take out and replace in what is read
    (Levenshtein 1966), of all samples, divided by the tokens of their transcripts. Above 1 where more is read.

    What is read is greedy: the likeliest class of each step, of runs of one class the first, without blanks (best path
    decoding, Graves et al. 2006). Steps that the mask of the input leaves out are not read. Distances are those of
    torchmetrics.
    """

    takes_targets = ("transcript",)
    mode = "min"
    higher_is_better = False
    full_state_update = False
    identity = "edit distance of greedily decoded transcripts, divided by their tokens"
    num_errors: Tensor
    num_tokens: Tensor

    def __init__(self, num_classes: int, /) -> None:
        super().__init__()
        for name in ("num_errors", "num_tokens"):
            self.add_state(name, default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits_BTC: Tensor, targets_BL: Tensor, input_mask: Tensor | None = None) -> None:
        """Take in logits (B, T, C), transcripts (B, L) filled up with 0, and which steps count (B, T)."""
        from torchmetrics.functional.text import edit_distance

        read = [_text(row) for row in greedy(logits_BTC, input_mask)]
        right = [_text([token for token in row if token != BLANK]) for row in targets_BL.tolist()]
        distances_B = edit_distance(read, right, reduction="none")
        self.num_errors += distances_B.sum().to(self.num_errors)
        self.num_tokens += sum(map(len, right))

    def compute(self) -> Tensor:
        """A scalar from 0."""
        return self.num_errors / self.num_tokens


def greedy(logits_BTC: Tensor, mask_BT: Tensor | None = None) -> list[list[int]]:
    """The tokens that are read of each sample: the likeliest of each step, runs once, without blanks."""
    best_BT = logits_BTC.argmax(-1)
    if mask_BT is not None:
        best_BT = best_BT.masked_fill(~mask_BT, BLANK)
    return [
        [token for token, before in zip(row, [BLANK, *row], strict=False) if token not in (BLANK, before)]
        for row in best_BT.tolist()
    ]


def _text(tokens: list[int]) -> str:
    return "".join(chr(FIRST_LETTER + token) for token in tokens)
