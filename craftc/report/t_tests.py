"""Tests of a mean difference against any bound, at one look or at several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from craftc.report.power import ALPHA
from craftc.report.sequential import boundaries
from craftc.report.statistics import Error
from craftc.schemas.conclusion import Difference, Interval, Look


class DifferenceTest(Protocol):
    """One-sided tests of the true difference, and the intervals that say the same."""

    def p_above(self, bound: float) -> float:
        """The p-value of the difference being at most `bound`: evidence for more."""
        ...

    def p_below(self, bound: float) -> float:
        """The p-value of the difference being at least `bound`: evidence for less."""
        ...

    def interval(self, alpha: float = ALPHA) -> Interval | None:
        """Two-sided, missing the true difference with probability `alpha`; None where it is too large to be written."""
        ...


@dataclass(frozen=True)
class FixedTest:
    """Of a number of seeds that was fixed beforehand."""

    mean: float
    error: Error

    def p_above(self, bound: float) -> float:
        """See DifferenceTest."""
        return self.error.p_beyond(self.mean - bound)

    def p_below(self, bound: float) -> float:
        """See DifferenceTest."""
        return self.error.p_beyond(bound - self.mean)

    def interval(self, alpha: float = ALPHA) -> Interval | None:
        """See DifferenceTest."""
        return self.error.interval(self.mean, alpha)


@dataclass(frozen=True)
class SequentialTest:
    """Of seeds that were added at planned looks, whose numbers of seeds are `planned`; `looks` are those so far that
    had a spread, at least one. Its p-values are the least of all looks, and its interval is what those of all looks
    have in common (Jennison and Turnbull 1989)."""

    looks: Sequence[Look]
    planned: tuple[int, ...]

    def p_above(self, bound: float) -> float:
        """See DifferenceTest."""
        return min(self._p_value(look, look.mean - bound) for look in self.looks)

    def p_below(self, bound: float) -> float:
        """See DifferenceTest."""
        return min(self._p_value(look, bound - look.mean) for look in self.looks)

    def interval(self, alpha: float = ALPHA) -> Interval | None:
        """See DifferenceTest. Where the looks have nothing in common, that of the last."""
        found = boundaries(self.planned)
        ends = []
        for look in self.looks:
            assert look.standard_error is not None
            index, freedom = self.planned.index(look.num_seeds), look.num_pairs - 1
            half_width = found.t(index, alpha / 2, freedom) * look.standard_error
            ends.append((look.mean - half_width, look.mean + half_width))
        low, high = max(low for low, _ in ends), min(high for _, high in ends)
        return Interval(low=low, high=high) if low <= high else Interval(low=ends[-1][0], high=ends[-1][1])

    def _p_value(self, look: Look, distance: float) -> float:
        assert look.standard_error is not None
        t = np.array(distance / look.standard_error)
        return float(boundaries(self.planned).p_value(self.planned.index(look.num_seeds), t, look.num_pairs - 1))


def t_test_of(difference: Difference, planned: tuple[int, ...] = ()) -> DifferenceTest | None:
    """The test of a difference; None where it has no spread, or no look was taken yet. `planned` are the numbers of
    seeds at the looks of a run that adds seeds."""
    if planned:
        looks = [look for look in difference.looks if look.standard_error is not None]
        return SequentialTest(looks, planned) if looks else None
    if difference.standard_error is None:
        return None
    return FixedTest(difference.mean, Error(difference.standard_error, difference.num_pairs - 1))


def p_within(test: DifferenceTest, bound: float) -> float:
    """Of two one-sided tests of the true difference being as large as a bound, above 0, the larger p-value (Schuirmann
    1987)."""
    return max(test.p_above(-bound), test.p_below(bound))


def p_two_sided(test: DifferenceTest) -> float:
    """The p-value of there being no difference."""
    return min(1.0, 2 * min(test.p_above(0.0), test.p_below(0.0)))
