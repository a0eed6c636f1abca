"""Optuna's samplers, which propose the next point of a search."""

from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from craftc.components.bounds import PositiveInt


def random(seed: int, /) -> BaseSampler:
    """Draws every point from the ranges alone."""
    return RandomSampler(seed=seed)


def tpe(
    seed: int, /, *, startup_trials: PositiveInt = 10, candidates: PositiveInt = 24, multivariate: bool = False
) -> BaseSampler:
    """Tree-structured Parzen estimator (Bergstra et al. 2011).

    Prefers what is likely among the better points seen so far and unlikely among the others.

    Args:
        startup_trials: Points that are drawn at random first.
        candidates: Values that are weighed against each other for each proposal.
        multivariate: Model the parameters together rather than one by one.
    """
    return TPESampler(
        seed=seed,
        n_startup_trials=startup_trials,
        n_ei_candidates=candidates,
        multivariate=multivariate,
    )
