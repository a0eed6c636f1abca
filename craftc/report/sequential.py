"""Computes p-values of paired t-tests that are looked at several times while seeds are added.

Who tests at 5% after every seed errs far more often than in 5% of runs. Here each look may spend a part of the error,
by the alpha-spending function of Lan and DeMets (1983) that is like Pocock's: a * ln(1 + (e - 1) t) of level a, where
t = n / n_max. That of O'Brien and Fleming spends so little early on that with two degrees of freedom nothing could be
decided. A sequential p-value is the least level whose boundaries the statistics have crossed at any look so far; it
errs no more often than it says however many looks are taken and whichever run is stopped, and is adjusted for several
comparisons as any other p-value (Maurer and Bretz 2013).

Boundaries are one-sided, from the distribution of the t statistics at the looks without an effect. The statistic at n
values is that of a uniformly distributed direction in n dimensions: its cosine with (1, ..., 1). As b values join,
    cosine' = (sqrt(n (1 - B)) cosine + sqrt(b B) V) / sqrt(n + b),
with B of the distribution Beta(b/2, n/2), and V the same cosine in b dimensions, independent. So the statistics are a
Markov chain, whose distribution is carried from look to look on a grid of normal scores.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

STEP = 0.02
REACH = 8.0
"""The grid of normal scores: their step, and how far it goes on both sides."""
LEVELS = np.geomspace(0.5, 1e-9, 181)
"""The one-sided levels whose boundaries are computed; between them the logarithm of the level is interpolated."""
NUM_NODES = 64
"""Of the quadrature over B, and over V."""


def spent(level: float, fraction: float) -> float:
    """What of a level is spent when this part of the most seeds is there, in [0, 1]."""
    return level * float(np.log1p((np.e - 1) * fraction))


@dataclass(frozen=True)
class Boundaries:
    """For each look, the normal score of the t statistic that has to be exceeded at each of LEVELS, (look, level)."""

    scores: Array

    def p_value(self, look: int, t: Array, degrees_of_freedom: int) -> Array:
        """The one-sided level whose boundary t just crosses at a look, counted from 0; 1 where that is above 0.5."""
        score = -special.ndtri(np.clip(special.stdtr(degrees_of_freedom, -np.asarray(t)), 1e-300, 1.0))
        of_look = self.scores[look]
        p_value = np.exp(np.interp(score, of_look, np.log(LEVELS)))
        return np.where(score < of_look[0], 1.0, p_value)

    def t(self, look: int, level: float, degrees_of_freedom: int) -> float:
        """The t statistic that has to be exceeded at a look for a one-sided level."""
        score = np.interp(-np.log(level), -np.log(LEVELS), self.scores[look])
        return float(-special.stdtrit(degrees_of_freedom, special.ndtr(-score)))


@lru_cache(maxsize=16)
def boundaries(looks: tuple[int, ...]) -> Boundaries:
    """Of looks at so many pairs each, ascending, the first at least 2."""
    grid: Array = np.arange(-round(REACH / STEP), round(REACH / STEP) + 1, dtype=np.float64) * STEP
    density: Array = np.exp(-(grid**2) / 2) * (STEP / math.sqrt(2 * math.pi))
    mass: Array = np.tile(density, (len(LEVELS), 1))
    shares = np.diff([0.0, *(spent(1.0, num / looks[-1]) for num in looks)])
    scores = np.empty((len(looks), len(LEVELS)))
    for look, share in enumerate(shares):
        if look:
            mass = mass @ _transition(looks[look - 1], looks[look] - looks[look - 1], grid)
            scores[look] = [_bound(of_level, share * level, grid) for of_level, level in zip(mass, LEVELS, strict=True)]
        else:
            scores[0] = -special.ndtri(share * LEVELS)
        below = np.clip((scores[look][:, None] - (grid - STEP / 2)) / STEP, 0.0, 1.0)
        mass = mass * below
    return Boundaries(np.maximum.accumulate(scores, axis=1))


def _bound(mass: Array, tail: float, grid: Array) -> float:
    """The score above which so much of a distribution lies."""
    above = np.cumsum(mass[::-1])[::-1]
    known = above > 0
    # Ascending in the logarithm of what lies above the lower edge of each cell.
    return float(np.interp(-np.log(tail), -np.log(above[known]), (grid - STEP / 2)[known]))


def _transition(num: int, added: int, grid: Array) -> Array:
    """Row by row the distribution of the next score; what lies between two points of the grid is parted between
    them."""
    upper = special.ndtr(-np.abs(grid))
    cosine = np.sign(grid) * np.sqrt(1 - special.betaincinv((num - 1) / 2, 0.5, 2 * upper))
    b_nodes, b_weights = special.roots_jacobi(NUM_NODES, num / 2 - 1, added / 2 - 1)
    b_nodes, b_weights = (b_nodes + 1) / 2, b_weights / b_weights.sum()
    v_nodes, v_weights = np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    if added > 1:
        v_nodes, v_weights = special.roots_jacobi(NUM_NODES, (added - 3) / 2, (added - 3) / 2)
        v_weights = v_weights / v_weights.sum()
    shrunk, moved = np.sqrt(num * (1 - b_nodes)), np.sqrt(added * b_nodes)[:, None] * v_nodes
    weights = (b_weights[:, None] * v_weights).ravel()
    rows: Array = np.empty((len(grid), len(grid)))
    table = np.linspace(0.0, 18.0, 20_001)  # of the inverse hyperbolic tangent of the cosine
    scores = _score(table, num + added)
    for row, each in enumerate(cosine):
        following = ((shrunk * each)[:, None] + moved).ravel() / np.sqrt(num + added)
        angle = np.arctanh(np.clip(following, -1 + 1e-16, 1 - 1e-16))
        score = np.sign(angle) * np.interp(np.abs(angle), table, scores)
        place = (np.clip(score, grid[0], grid[-1] - 1e-9) - grid[0]) / STEP
        lower = place.astype(np.intp)
        part = place - lower
        rows[row] = np.bincount(lower, weights * (1 - part), len(grid))[: len(grid)]
        rows[row] += np.bincount(lower + 1, weights * part, len(grid))[: len(grid)]
    return rows


def _score(angle: Array, num: int) -> Array:
    """The normal score of the cosine tanh(angle), angle at least 0, in `num` dimensions."""
    return -np.asarray(
        special.ndtri(np.maximum(special.betainc((num - 1) / 2, 0.5, 1 / np.cosh(angle) ** 2) / 2, 1e-300))
    )
