"""Connectionist temporal classification, as a sum and the weight by which it is to be divided.

B: samples of a batch, T: steps of an output, C: tokens and the blank, L: tokens of the longest transcript. Before B may
stand an axis of models.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from craftc.components.many import are_many, of_many
from craftc.components.objectives.weighing import summed
from craftc.components.sources.columns import BLANK


class CTC(nn.Module):
    """Connectionist temporal classification (Graves et al. 2006): -log p of each sample's transcript, where p adds up
    all ways to write it in T steps. A way repeats tokens, and puts blanks between them; `torch.nn.functional.ctc_loss`.

    Class 0 is the blank: `num_classes` of a model, inferred, counts it. Each sample weighs 1 however long its
    transcript is, so the loss is the mean of nats per transcript; torch's own `mean` divides by its length first.
    Columns `weight` count where the data has them.

    Which steps count says the output `input_mask` of a model that returns one, or else the `mask` of the input where
    the data has one; otherwise all do. A transcript needs a step for each token, and a blank's between two that are
    alike: one that has fewer is an error, not an infinite loss. torch cannot compile a step with it.
    """

    takes_targets = ("transcript",)
    identity = "mean over samples of -log p of the transcript, by CTC"

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self, logits_BTC: Tensor, targets_BL: Tensor, input_mask: Tensor | None = None, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, T, C), transcripts (B, L) filled up with 0, and which steps count (B, T)
        -> (loss_sum, weight_sum), two scalars; their ratio is the mean loss."""
        given = (logits_BTC, targets_BL, input_mask)
        return summed(of_many(_losses, *given) if are_many(logits_BTC) else _losses(*given), None, weight)

    def steps_needed(self, targets_NL: Tensor) -> Tensor:
        """How many steps the shortest way to write each transcript takes, (N,)."""
        return _lengths(targets_NL) + _repeats(targets_NL)


def _losses(logits_BTC: Tensor, targets_BL: Tensor, mask_BT: Tensor | None) -> Tensor:
    """That of each sample, (B,)."""
    _check_shapes(logits_BTC, mask_BT)
    logits_NTC, targets_NL = logits_BTC.flatten(0, -3), targets_BL.flatten(0, -2)
    # torch has kernels of 32 and 64 bits alone.
    logits_NTC = logits_NTC if logits_NTC.dtype == torch.float64 else logits_NTC.float()
    lengths_N = _lengths(targets_NL)
    steps_N, is_gap_N = torch.full_like(lengths_N, logits_NTC.shape[1]), torch.zeros_like(lengths_N)
    if mask_BT is not None:
        mask_NT = mask_BT.flatten(0, -2)
        steps_N, is_gap_N = mask_NT.sum(1), (mask_NT[:, 1:] & ~mask_NT[:, :-1]).any(1).long()
    # On the CPU at once: torch asks for lengths there, and what is checked is on it.
    needed_N = lengths_N + _repeats(targets_NL)
    lengths_N, needed_N, steps_N, is_gap_N = torch.stack([lengths_N, needed_N, steps_N, is_gap_N]).cpu()
    _check_steps(needed_N, steps_N, is_gap_N)
    logs_TNC = logits_NTC.log_softmax(-1).transpose(0, 1)
    losses_N = F.ctc_loss(logs_TNC, targets_NL, steps_N, lengths_N, blank=BLANK, reduction="none")
    return losses_N.view(logits_BTC.shape[:-2])


def _check_shapes(logits_BTC: Tensor, mask_BT: Tensor | None) -> None:
    if logits_BTC.dim() < 3:
        raise ValueError(f"ctc needs outputs of each step, (B, T, C), not {tuple(logits_BTC.shape)}")
    if mask_BT is not None and mask_BT.shape != logits_BTC.shape[:-1]:
        raise ValueError(
            f"input_mask has {mask_BT.shape[-1]} steps, and the outputs have {logits_BTC.shape[-2]}; a model with "
            "steps of its own returns which of them count as its output input_mask"
        )


def _check_steps(needed_N: Tensor, steps_N: Tensor, is_gap_N: Tensor) -> None:
    if is_gap_N.any():
        raise ValueError(
            f"sample {_first(is_gap_N)} of the batch (from 0): input_mask leaves out a step before one that counts; it "
            "leaves out the last alone"
        )
    if (is_short_N := needed_N > steps_N).any():
        sample = _first(is_short_N)
        raise ValueError(
            f"sample {sample} of the batch (from 0) has a transcript that needs {int(needed_N[sample])} steps, and "
            f"{int(steps_N[sample])} count of its output"
        )


def _lengths(targets_NL: Tensor) -> Tensor:
    return (targets_NL != BLANK).sum(1)


def _repeats(targets_NL: Tensor) -> Tensor:
    """How many tokens are those before them."""
    later = targets_NL[:, 1:]
    return ((later == targets_NL[:, :-1]) & (later != BLANK)).sum(1)


def _first(is_so_N: Tensor) -> int:
    return int(is_so_N.nonzero()[0])
