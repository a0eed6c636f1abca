"""Optuna's pruners, which stop a point that falls behind the others at the same epoch."""

from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner

from craftc.components.bounds import NonNegativeInt, PositiveInt, Reduction


def none() -> BasePruner:
    """Stops nothing."""
    return NopPruner()


def median(
    *, startup_trials: PositiveInt = 5, warmup_epochs: NonNegativeInt = 0, interval_epochs: PositiveInt = 1
) -> BasePruner:
    """Stops a point whose best so far is worse than the median of the others at the same epoch.

    Args:
        startup_trials: Points that must have finished before any is stopped.
        warmup_epochs: Epochs that every point is given.
        interval_epochs: Epochs between two looks.
    """
    return MedianPruner(n_startup_trials=startup_trials, n_warmup_steps=warmup_epochs, interval_steps=interval_epochs)


def successive_halving(*, min_epochs: PositiveInt = 1, reduction_factor: Reduction = 4) -> BasePruner:
    """Lets only the best share of the points past each rung (asynchronous; Li et al. 2020).

    Args:
        min_epochs: Epochs up to the first rung.
        reduction_factor: One in this many goes on, to a rung that is as many times further away.
    """
    return SuccessiveHalvingPruner(min_resource=min_epochs, reduction_factor=reduction_factor)
