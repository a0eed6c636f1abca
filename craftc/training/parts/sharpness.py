"""Moves weights to where the loss is worst nearby, and back, for sharpness-aware minimisation."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from craftc.training.foundation import foreach

ETA = 0.01
"""What is added to the size of a weight where distances are relative to it, as in the paper of ASAM."""


class Sharpness:
    """SAM (Foret et al. 2021): weights w and their gradient g lead to w + rho * g / |g|, with the norm of all gradients
    together. Adaptive (ASAM; Kwon et al. 2021): to w + rho * T(T(g)) / |T(g)|, where T multiplies by |w| + 0.01.
    """

    def __init__(self, rho: float, *, adaptive: bool) -> None:
        self._rho, self._adaptive = rho, adaptive

    @torch.no_grad()
    def perturb(self, parameters: Sequence[nn.Parameter]) -> "Moved":
        """Move the weights by the gradients that they have. A scale of all gradients changes nothing."""
        moved = [parameter for parameter in parameters if parameter.grad is not None]
        before = [parameter.detach().clone() for parameter in moved]
        gradients = [parameter.grad for parameter in moved if parameter.grad is not None]
        sizes = [weight.abs().add_(ETA) for weight in before] if self._adaptive else []
        if sizes:
            gradients = [gradient * size for gradient, size in zip(gradients, sizes, strict=True)]
        norm = torch.linalg.vector_norm(torch.stack(foreach.norms(gradients)))
        scale = self._rho / norm.clamp_(min=1e-12)
        steps = [gradient * size for gradient, size in zip(gradients, sizes, strict=True)] if sizes else gradients
        for parameter, step in zip(moved, steps, strict=True):
            parameter.addcmul_(step, scale)
        return Moved(moved, before)


class Moved:
    """Weights that are not where they were."""

    def __init__(self, parameters: Sequence[nn.Parameter], before: Sequence[Tensor]) -> None:
        self._parameters, self._before = parameters, before

    @torch.no_grad()
    def restore(self) -> None:
        """Put them back, to the last bit."""
        foreach.copy_([parameter.detach() for parameter in self._parameters], self._before)


def build_sharpness(regularization: Mapping[str, Any]) -> Sharpness | None:
    """From the section `regularization`; None without SAM."""
    setting = regularization.get("sam", "none")
    if setting in ("none", None):
        return None
    return Sharpness(setting["rho"], adaptive=setting.get("adaptive", False))
