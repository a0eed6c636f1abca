"""torch's own optimizers, with bounds that a spec is checked against."""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Len, Lt
from torch import Tensor

from craftc.components.bounds import PER_TRIAL, BelowOne, NonNegativeFloat, PositiveFloat
from craftc.components.declare import declares

Betas = Annotated[Sequence[BelowOne], Len(2, 2)]

# Adam's fused step is one kernel for all parameters: 15 to 18% off a whole step of a small model, on the CPU too.


class Sgd(torch.optim.SGD):
    """Stochastic gradient descent (Robbins and Monro 1951), with momentum if wished (Polyak 1964).

    Args:
        lr: Learning rate that the schedule starts from.
        momentum: Share of the last step that is kept.
        nesterov: Look ahead along the momentum; needs momentum above 0.
        weight_decay: L2 penalty, added to the gradient.
    """

    constraints = ("momentum > 0 or not nesterov",)
    search_ranges: ClassVar = {
        "lr": {"log_uniform": [1e-3, 0.3]},
        "momentum": {"uniform": [0.5, 0.99]},
        "weight_decay": {"log_uniform": [1e-6, 1e-2]},
    }

    def __init__(
        self,
        params: Iterable[Tensor],
        /,
        *,
        lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-2,
        momentum: Annotated[BelowOne, PER_TRIAL] = 0.0,
        nesterov: bool = False,
        weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
    ) -> None:
        params = list(params)
        # On a GPU one kernel, which alone takes fp16's scale without a look at the gradients from the host.
        fused = all(parameter.is_cuda for parameter in params) or None
        super().__init__(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=fused)


@declares(search_ranges={"lr": {"log_uniform": [1e-4, 3e-2]}, "weight_decay": {"log_uniform": [1e-6, 1e-2]}})
def adam(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-3,
    betas: Annotated[Betas, PER_TRIAL] = (0.9, 0.999),
    eps: Annotated[PositiveFloat, PER_TRIAL] = 1e-8,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015).

    Args:
        lr: Learning rate that the schedule starts from.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: L2 penalty, added to the gradient and so divided by its running size; adamw does not do that.
    """
    return torch.optim.Adam(params, lr=lr, betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay, fused=True)


@declares(search_ranges={"lr": {"log_uniform": [1e-4, 3e-2]}, "weight_decay": {"log_uniform": [1e-4, 0.3]}})
def adamw(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-3,
    betas: Annotated[Betas, PER_TRIAL] = (0.9, 0.999),
    eps: Annotated[PositiveFloat, PER_TRIAL] = 1e-8,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.01,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Args:
        lr: Learning rate that the schedule starts from.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: Share of each weight, times the learning rate, that a step takes away.
    """
    return torch.optim.AdamW(params, lr=lr, betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay, fused=True)


@declares(
    search_ranges={"lr": {"log_uniform": [1e-4, 1e-2]}, "weight_decay": {"log_uniform": [1e-6, 1e-1]}},
)
def nadam(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 2e-3,
    betas: Annotated[Betas, PER_TRIAL] = (0.9, 0.999),
    eps: Annotated[PositiveFloat, PER_TRIAL] = 1e-8,
    momentum_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 4e-3,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
    decoupled: bool = False,
) -> torch.optim.Optimizer:
    """Adam with Nesterov's momentum (Dozat 2016), torch's NAdam.

    Args:
        lr: Learning rate that the schedule starts from.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        momentum_decay: How fast the momentum rises to its first beta.
        weight_decay: L2 penalty, added to the gradient; decoupled, the share that a step takes, times the rate.
        decoupled: Whether weight decay is that of AdamW.
    """
    return torch.optim.NAdam(
        params,
        lr=lr,
        betas=(betas[0], betas[1]),
        eps=eps,
        momentum_decay=momentum_decay,
        weight_decay=weight_decay,
        decoupled_weight_decay=decoupled,
    )


@declares(
    search_ranges={"lr": {"log_uniform": [1e-4, 1e-2]}, "weight_decay": {"log_uniform": [1e-6, 1e-1]}},
)
def radam(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-3,
    betas: Annotated[Betas, PER_TRIAL] = (0.9, 0.999),
    eps: Annotated[PositiveFloat, PER_TRIAL] = 1e-8,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
    decoupled: bool = False,
) -> torch.optim.Optimizer:
    """Adam whose first steps are momentum's, until its mean of squares is known (Liu et al. 2020); torch's RAdam.

    Args:
        lr: Learning rate that the schedule starts from.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: L2 penalty, added to the gradient; decoupled, the share that a step takes, times the rate.
        decoupled: Whether weight decay is that of AdamW.
    """
    return torch.optim.RAdam(
        params,
        lr=lr,
        betas=(betas[0], betas[1]),
        eps=eps,
        weight_decay=weight_decay,
        decoupled_weight_decay=decoupled,
    )


@declares(
    search_ranges={"lr": {"log_uniform": [1e-5, 1e-2]}, "momentum": {"uniform": [0.0, 0.95]}},
)
def rmsprop(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-3,
    alpha: Annotated[BelowOne, PER_TRIAL] = 0.99,
    eps: Annotated[PositiveFloat, PER_TRIAL] = 1e-8,
    momentum: BelowOne = 0.0,
    centered: bool = False,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """Gradients divided by the root of a running mean of their squares (Tieleman and Hinton 2012); torch's RMSprop.

    Args:
        lr: Learning rate that the schedule starts from; torch's own default is 1e-2.
        alpha: Decay of the running mean of squares.
        eps: Added to the denominator.
        momentum: Share of the last step that is kept.
        centered: Divide by the running deviation (Graves 2013).
        weight_decay: L2 penalty, added to the gradient.
    """
    return torch.optim.RMSprop(
        params, lr=lr, alpha=alpha, eps=eps, momentum=momentum, centered=centered, weight_decay=weight_decay
    )


@declares(
    search_ranges={"lr": {"log_uniform": [1e-3, 1.0]}, "weight_decay": {"log_uniform": [1e-6, 1e-2]}},
)
def adagrad(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-2,
    lr_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
    eps: Annotated[PositiveFloat, PER_TRIAL] = 1e-10,
    initial_accumulator: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """Gradients divided by the root of the sum of all their squares so far (Duchi et al. 2011); torch's Adagrad.

    Args:
        lr: Learning rate that the schedule starts from.
        lr_decay: The rate is divided by 1 + lr_decay times the steps before; a schedule does the same and more.
        eps: Added to the denominator.
        initial_accumulator: What the sums of squares begin at.
        weight_decay: L2 penalty, added to the gradient.
    """
    return torch.optim.Adagrad(
        params,
        lr=lr,
        lr_decay=lr_decay,
        eps=eps,
        initial_accumulator_value=initial_accumulator,
        weight_decay=weight_decay,
    )


@declares(
    search_ranges={"lr": {"log_uniform": [1e-4, 1e-1]}, "weight_decay": {"log_uniform": [1e-5, 1e-1]}},
)
def adafactor(
    params: Iterable[Tensor],
    /,
    *,
    lr: Annotated[PositiveFloat, PER_TRIAL] = 1e-2,
    beta2_decay: Annotated[float, Lt(0)] = -0.8,
    clip_threshold: PositiveFloat = 1.0,
    least_size: PositiveFloat = 1e-3,
    weight_decay: Annotated[NonNegativeFloat, PER_TRIAL] = 0.0,
) -> torch.optim.Optimizer:
    """Adam without momentum, which keeps of a matrix's mean of squares those of rows and columns (Shazeer and Stern
    2018); torch's Adafactor.

    Args:
        lr: Step relative to the size of a parameter, of which the step n takes 1 / sqrt(n) at most, as in the paper.
        beta2_decay: Power of the step by which the memory of the mean of squares grows.
        clip_threshold: The root mean square of an update is no larger than that.
        least_size: What the root mean square of a parameter counts at least.
        weight_decay: Share of each weight, times the learning rate, that a step takes away.
    """
    return torch.optim.Adafactor(
        params,
        lr=lr,
        beta2_decay=beta2_decay,
        d=clip_threshold,
        eps=(None, least_size),
        weight_decay=weight_decay,
    )
