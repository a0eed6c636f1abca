"""torch's fused kernels of Adam and AdamW, which its optimizers call and do not document."""

from typing import Any, NamedTuple

import torch

from craftc.fence import fence, require


class FusedAdam(NamedTuple):
    """The kernels, each called with lists of weights, gradients, two moments, no largest moments, and step counts."""

    adam: Any
    adamw: Any


@fence(
    "torch.fused_adam",
    instead="batches on a CPU update all their trainings at once, by plain operations",
)
def fused_adam() -> FusedAdam:
    """The kernels, on a CPU."""
    kernels = FusedAdam(torch._fused_adam_, torch._fused_adamw_)
    # The first step is by the sign of the gradient; AdamW's weights shrink beforehand.
    for kernel, expected in ((kernels.adam, 0.9), (kernels.adamw, 0.85)):
        weight, gradient, average, square = (torch.tensor([value]) for value in (1.0, 2.0, 0.0, 0.0))
        options = {"beta1": 0.9, "beta2": 0.999, "weight_decay": 0.5, "eps": 1e-8, "amsgrad": False, "maximize": False}
        kernel([weight], [gradient], [average], [square], [], [torch.tensor(1.0)], lr=0.1, **options)
        require(abs(float(weight) - expected) < 1e-5, f"a step of {kernel} leads to {float(weight)}, not {expected}")
    return kernels
