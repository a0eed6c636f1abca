"""Augmentations that mix each sample with another of its step, and so its target.

B: samples of a step, H and W: rows and columns of an image.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from craftc.components.bounds import PositiveFloat, Probability
from craftc.components.numbers import Numbers

NUM_QUANTILES = 2**14


class Mixed(NamedTuple):
    """Samples (B, ...), of which each is mixed with that at its place of `partner_B`; `share_B` is what is left of
    itself, from 0 to 1. `is_pasted_BHW` says which pixels are the partner's, where there are such."""

    x: Tensor
    partner_B: Tensor
    share_B: Tensor
    is_pasted_BHW: Tensor | None = None


class Mixup:
    """Adds two samples, weighted (Zhang et al. 2018): `share * x + (1 - share) * partner`.

    The partner is another sample of the step, by a random permutation, and every sample has a share of its own, from
    Beta(alpha, alpha). The loss is mixed by the same shares: that of the sample's own target and that of its partner's.

    Args:
        alpha: Of the Beta distribution: near 0 most samples stay nearly as they are, 1 makes every share as likely.
        p: Probability that a sample is mixed at all.
    """

    takes = ("images", "table")
    mixes_targets = True
    draws_apart = True
    search_ranges: ClassVar = {"alpha": {"log_uniform": [0.1, 1.0]}}

    def __init__(self, *, alpha: PositiveFloat = 0.2, p: Probability = 1.0) -> None:
        self._beta, self.p = SymmetricBeta(alpha), p

    def __call__(self, x: Tensor, numbers: Numbers) -> Mixed:
        """Mix (B, ...)."""
        partner_B, is_mixed_B = drawn_partners(len(x), self.p, numbers)
        return added(x, partner_B, torch.where(is_mixed_B, self._beta.sample(len(x), numbers), 1.0))


class CutMix:
    """Pastes a rectangle of another image (Yun et al. 2019), in all channels at once.

    The partner is another sample of the step, by a random permutation. The rectangle has the sides of the image times
    sqrt(1 - share), with a share from Beta(alpha, alpha), and its centre may be anywhere; what is beyond the edge is
    left out. The loss is mixed by the share of pixels that remain. A target of the image's own height and width, such
    as a class for every pixel, is cut and pasted in the same place instead.

    Args:
        alpha: Of the Beta distribution: near 0 a rectangle is nearly nothing or nearly all, 1 makes every share as
            likely.
        p: Probability that something is pasted into a sample at all.
    """

    takes = ("images",)
    mixes_targets = True
    draws_apart = True
    search_ranges: ClassVar = {"alpha": {"log_uniform": [0.1, 2.0]}}

    def __init__(self, *, alpha: PositiveFloat = 1.0, p: Probability = 1.0) -> None:
        self._beta, self.p = SymmetricBeta(alpha), p

    def __call__(self, x: Tensor, numbers: Numbers) -> Mixed:
        """Cut and paste (B, H, W) or (B, C, H, W)."""
        partner_B, is_mixed_B = drawn_partners(len(x), self.p, numbers)
        is_pasted_BHW = drawn_boxes(x, self._beta.sample(len(x), numbers), numbers) & is_mixed_B[:, None, None]
        return pasted(x, partner_B, is_pasted_BHW)


class MixupOrCutMix:
    """Does one of two things to each sample: mixup (Zhang et al. 2018) or CutMix (Yun et al. 2019), as many recipes of
    training do. Both take the same partner.

    Args:
        mixup_alpha: Of the Beta distribution of the shares of mixup.
        cutmix_alpha: Of that of the shares of CutMix.
        p: Probability that a sample is changed at all.
        p_cutmix: Probability that a sample that is changed gets a rectangle of its partner, and is not added to it.
    """

    takes = ("images",)
    mixes_targets = True
    draws_apart = True
    search_ranges: ClassVar = {"mixup_alpha": {"log_uniform": [0.1, 1.0]}, "p_cutmix": {"uniform": [0.0, 1.0]}}

    def __init__(
        self,
        *,
        mixup_alpha: PositiveFloat = 0.2,
        cutmix_alpha: PositiveFloat = 1.0,
        p: Probability = 1.0,
        p_cutmix: Probability = 0.5,
    ) -> None:
        self._mixup, self._cutmix = SymmetricBeta(mixup_alpha), SymmetricBeta(cutmix_alpha)
        self.p, self.p_cutmix = p, p_cutmix

    def __call__(self, x: Tensor, numbers: Numbers) -> Mixed:
        """Mix (B, H, W) or (B, C, H, W)."""
        partner_B, is_mixed_B = drawn_partners(len(x), self.p, numbers)
        is_cut_B = numbers.uniform(len(x)) < self.p_cutmix
        share_B = torch.where(is_mixed_B & ~is_cut_B, self._mixup.sample(len(x), numbers), 1.0)
        is_pasted_BHW = drawn_boxes(x, self._cutmix.sample(len(x), numbers), numbers)
        is_pasted_BHW = is_pasted_BHW & (is_mixed_B & is_cut_B)[:, None, None]
        cut, summed = pasted(x, partner_B, is_pasted_BHW), added(x, partner_B, share_B)
        both = torch.where(is_cut_B.view(-1, *[1] * (x.dim() - 1)), cut.x, summed.x)
        return Mixed(both, partner_B, torch.where(is_cut_B, cut.share_B, share_B), is_pasted_BHW)


class SymmetricBeta:
    """Beta(alpha, alpha) in equally likely steps: SciPy's quantiles, of which a random number takes one. Sampling by
    rejection takes no fixed count of random numbers, which those of a step have to."""

    def __init__(self, alpha: float) -> None:
        from scipy.special import betaincinv

        middle = (torch.arange(NUM_QUANTILES, dtype=torch.float64) + 0.5) / NUM_QUANTILES
        self._quantiles = torch.from_numpy(betaincinv(alpha, alpha, middle.numpy())).float()

    def sample(self, num: int, numbers: Numbers) -> Tensor:
        """(num,) float32, from 0 to 1."""
        drawn = numbers.uniform(num)
        if self._quantiles.device != drawn.device:
            self._quantiles = self._quantiles.to(drawn.device)
        return self._quantiles.index_select(0, (drawn * NUM_QUANTILES).long())


def drawn_partners(num_samples: int, p: float, numbers: Numbers) -> tuple[Tensor, Tensor]:
    """Of each sample the place of its partner, all different, and whether it is mixed at all; (B,) each."""
    partner_B = numbers.uniform(num_samples).argsort(stable=True)
    return partner_B, numbers.uniform(num_samples) < p


def drawn_boxes(x: Tensor, share_B: Tensor, numbers: Numbers) -> Tensor:
    """Rectangles of 1 - share of the area of images (B, H, W) or (B, C, H, W), as (B, H, W): where they are."""
    if x.dim() < 3:
        raise ValueError(f"CutMix needs images, (B, H, W) or (B, C, H, W), not a batch of shape {tuple(x.shape)}")
    centre_2B = numbers.uniform(2, len(x))
    within = [_within(x.shape[axis], share_B, centre_2B[axis]) for axis in (-2, -1)]
    return within[0][:, :, None] & within[1][:, None, :]


def _within(length: int, share_B: Tensor, centre_B: Tensor) -> Tensor:
    """Where along an axis a rectangle is, (B, length), around the pixel of its centre."""
    half_B = (0.5 * (1 - share_B).sqrt() * length).long()
    middle_B = (centre_B * length).long()
    place_L = torch.arange(length, device=share_B.device)
    return (place_L >= (middle_B - half_B)[:, None]) & (place_L < (middle_B + half_B)[:, None])


def added(x: Tensor, partner_B: Tensor, share_B: Tensor) -> Mixed:
    """Samples and their partners, weighted."""
    share = share_B.view(-1, *[1] * (x.dim() - 1)).to(x.dtype)
    return Mixed(x * share + x.index_select(0, partner_B) * (1 - share), partner_B, share_B)


def pasted(x: Tensor, partner_B: Tensor, is_pasted_BHW: Tensor) -> Mixed:
    """Images with some of the pixels of their partners."""
    is_pasted = is_pasted_BHW if x.dim() == 3 else is_pasted_BHW[:, None]
    share_B = 1 - is_pasted_BHW.float().mean((-2, -1))
    return Mixed(torch.where(is_pasted, x.index_select(0, partner_B), x), partner_B, share_B, is_pasted_BHW)
