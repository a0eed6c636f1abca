"""A plan and what was checked of it -> one row for each variant."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from craftc.compiler.planning.shapes import shape_key
from craftc.schemas.plan import Plan, Trial, variant_trials

if TYPE_CHECKING:
    from craftc.runtime.worker.check_trials import Checked


class Row(NamedTuple):
    """A variant, the one of its shape that was checked, and its figures; None of what failed or cannot be counted."""

    variant: str
    checked_as: str
    ok: bool
    device: str | None
    num_parameters: int | None
    flops_per_sample: float | None
    seconds_per_step: float | None
    memory_bytes: int | None
    micro_batch: int | None = None
    num_removed: int = 0


def rows_of(plan: Plan, checked: "Sequence[Checked]", corners: Sequence[Trial] = ()) -> list[Row]:
    """In the order of the plan, `corners` of its search after it; none where nothing was checked."""
    known = {trial.id: trial for trial in (*corners, *plan.trials)}
    by_shape = {shape_key(known[each.trial]): each for each in checked}
    if not by_shape:
        return []
    firsts = {name: trials[0] for name, trials in variant_trials(plan).items()}
    firsts |= {trial.variant: trial for trial in corners}
    found = {name: by_shape[shape_key(trial)] for name, trial in firsts.items()}
    return [_row(name, known[each.trial].variant, each) for name, each in found.items()]


def _row(variant: str, checked_as: str, checked: "Checked") -> Row:
    figures = checked.figures
    if figures is None:
        return Row(variant, checked_as, checked.failure is None, None, None, None, None, None)
    return Row(
        variant,
        checked_as,
        True,
        figures.device,
        figures.num_parameters,
        figures.flops_per_sample,
        figures.seconds_per_step,
        figures.memory_bytes,
        figures.micro_batch,
        figures.num_removed,
    )
