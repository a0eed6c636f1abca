"""What the figures of one search have in common: its points, and how each is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from craftc.schemas.search import SearchPoint

FEW = 60
"""Lines in one drawing of which each can still be seen."""
SHADES = 5
"""Of points with a value, from the worst fifth to the best."""


@dataclass(frozen=True)
class SearchFigures:
    """`points` are those that are drawn, of `num_points`. `space`: path to range, as the plan has it."""

    metric: str
    mode: Literal["min", "max"]
    space: Mapping[str, Mapping[str, Any]]
    points: tuple[SearchPoint, ...]
    num_points: int

    @property
    def finished(self) -> list[SearchPoint]:
        """Those with a value."""
        return [point for point in self.points if point.value is not None]

    @property
    def best(self) -> SearchPoint | None:
        """The point of the best value, the earliest of equals."""
        sign = 1 if self.mode == "min" else -1
        return min(self.finished, key=lambda point: (sign * (point.value or 0.0), point.number), default=None)

    @property
    def worst_first(self) -> list[SearchPoint]:
        """What has no value, then from the worst to the best, so that the best is drawn over the others."""
        sign = 1 if self.mode == "max" else -1
        return sorted(self.points, key=lambda p: (p.value is not None, sign * (p.value or 0.0), -p.number))

    @property
    def density(self) -> str:
        """The class of a drawing whose lines would cover each other."""
        return "dense" if len(self.points) > FEW else ""

    @property
    def left_out(self) -> str:
        """What is not drawn, in a sentence."""
        if len(self.points) == self.num_points:
            return ""
        return (
            f"{len(self.points)} of {self.num_points} points are drawn: the best third, and of the others some, evenly."
        )

    def shades(self) -> dict[int, str]:
        """The class of each point by its number: `shade0` to `shade4`, `best`, or its state where it has no value."""
        ranked = [point for point in self.worst_first if point.value is not None]
        found = {point.number: f"shade{index * SHADES // len(ranked)}" for index, point in enumerate(ranked)}
        found |= {point.number: point.state for point in self.points if point.value is None}
        return found | ({self.best.number: "best"} if self.best else {})
