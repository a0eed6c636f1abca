"""The summary of a search: every point of every study, and which parameters mattered."""

from typing import Any, Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen, List

PointState = Literal["finished", "pruned", "failed", "infeasible", "unfinished"]
"""`infeasible`: the compiler refused its values, so nothing was trained. `unfinished`: the run ended before it did."""


class SearchPoint(Frozen):
    """One setting of the searched parameters. `kind`: the spec as written (start), proposed (search) or a grid's.

    `number` counts from 0 as in the Optuna study. `params` holds those that are within their ranges. `value` is the
    mean of the optimized metric over the `trials`, one per seed, each at its selected epoch. `reason` says why there is
    none. `epochs_saved` are those that pruning and early stopping saved. `repeats` is the earlier finished point of
    the same trials.
    """

    number: int = Field(ge=0)
    kind: Literal["start", "search", "grid"]
    params: dict[str, Any]
    state: PointState
    value: float | None = None
    trials: List[str] = ()
    epochs_trained: int = Field(0, ge=0)
    epochs_planned: int = Field(0, ge=0)
    epochs_saved: int = Field(0, ge=0)
    repeats: int | None = None
    reason: str = ""


class StudySummary(Frozen):
    """One variant's study. `importances` are shares that sum to 1; None where too few points finished."""

    variant: str
    points: List[SearchPoint]
    importances: dict[str, float] | None = None


class SearchSummary(Frozen):
    """All studies of a run, in the order of the plan. `database` is the file, beside this one, that Optuna opens."""

    format_version: Literal["1.0"] = "1.0"
    metric: str
    mode: Literal["min", "max"]
    database: str
    studies: List[StudySummary]
