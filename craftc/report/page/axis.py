"""Places values on an axis, in percent of its length, and chooses its ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

PADDING = 0.04
"""Of the range of values, left free on both sides."""
OUTLIERS = 0.02
"""Of all values, on each side, what may lie beyond an axis: where that leaves more than half of it to the others."""


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, which are different. On a logarithmic one both are positive."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The place of a value: 0 at `low`, 100 at `high`; beyond them for values outside."""
        low, high, value = (self._scaled(each) for each in (self.low, self.high, value))
        return 100 * (value - low) / (high - low)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def ticks(self, most: int = 5) -> list[float]:
        """Round values within the axis, at most so many; of a logarithmic one its ends."""
        if self.is_log:
            return [self.low, self.high]
        for exponent in range(math.floor(math.log10((self.high - self.low) / most)), 400):
            for step in (1, 2, 5):
                size = step * 10.0**exponent
                numbers = range(math.ceil(self.low / size - 1e-9), math.floor(self.high / size + 1e-9) + 1)
                if len(numbers) <= most:
                    return [number * size for number in numbers]
        return []


def around(values: Iterable[float], *, also: Sequence[float] = ()) -> Axis:
    """A linear axis on which all values have a place, with some room beside them."""
    known = [*values, *also]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = (high - low) * PADDING or abs(high) * PADDING or 1.0
    return Axis(low - room, high + room)


def robust(values: Sequence[float]) -> tuple[Axis, bool]:
    """A linear axis of all values but a few that lie far beyond the others, and whether there are such.

    At least one value. So that one bad first epoch does not flatten the rest.
    """
    ranked = sorted(values)
    cut = int(len(ranked) * OUTLIERS)
    low, high = ranked[cut], ranked[len(ranked) - 1 - cut]
    if ranked[-1] - ranked[0] < 2 * (high - low):
        low, high = ranked[0], ranked[-1]
    return around((low, high)), ranked[0] < low or ranked[-1] > high


def percent(place: float) -> str:
    """A place as an attribute of SVG has it."""
    return f"{_short(place)}%"


def anchor(place: float) -> str:
    """How a text at a place is aligned, so that it does not reach beyond the ends of the axis."""
    return "start" if place < 6 else "end" if place > 94 else "middle"


def path(points: Iterable[tuple[float, float]]) -> str:
    """A line through places in percent, (0, 0) below on the left, for a drawing of 100 by 100."""
    return "M" + "L".join(f"{_short(x)} {_short(100 - y)}" for x, y in points)


def _short(number: float) -> str:
    return f"{number:z.1f}".removesuffix(".0")


def tick_texts(ticks: Sequence[float], *, sign: bool = False) -> list[str]:
    """The ticks with as many digits as tell them apart, and a true minus."""
    digits = next((d for d in range(1, 15) if len({f"{tick:.{d}g}" for tick in ticks}) == len(ticks)), 15)
    largest = max((abs(tick) for tick in ticks), default=1.0)
    if 1e-4 <= largest < 1e6:
        steps = [b - a for a, b in pairwise(ticks)] or [largest]
        decimals = max(0, -math.floor(math.log10(min(steps)) + 1e-9)) if min(steps) > 0 else 3
        texts = [f"{tick:{'+' if sign else ''}z.{decimals}f}" for tick in ticks]
    else:
        texts = [f"{tick:{'+' if sign else ''}z.{digits}g}" for tick in ticks]
    return ["0" if tick == 0 else minus(text) for tick, text in zip(ticks, texts, strict=True)]


def minus(text: str) -> str:
    """A number's text with a true minus, which is as wide as a plus."""
    return text.replace("-", "\N{MINUS SIGN}")
