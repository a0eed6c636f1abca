"""How long a plan will take, in sentences."""

from craftc.schemas.forecast import Basis, Forecast, Similarity, Span

LIKE: dict[Similarity, str] = {
    "alike": "alike in model, data and batch size",
    "same-model": "of the same model and batch size",
    "other-batch-size": "of the same model with another batch size",
    "same-kind": "of the same kind of model with other arguments",
    "same-arguments": "of the same program and arguments",
    "same-program": "of the same program with other arguments",
}


def estimate_lines(forecast: Forecast) -> list[str]:
    """How long, by what it is known, and what is not known; nothing where nothing is to be trained."""
    if forecast.trial_hours is None:
        return ["estimate: unknown, for no trial like these was trained before"] if forecast.num_unknown else []
    lines = [
        f"estimate: {_training(forecast.trial_hours)}{_elapsed(forecast)}",
        f"taken from: {', '.join(map(_basis, forecast.based_on))}",
    ]
    if forecast.num_unknown:
        lines.append(f"unknown: {forecast.num_unknown:,} more trials, for none like them was trained before")
    if forecast.exceeds_budget:
        lines.append(
            f"over budget: resources.budget_hours is {forecast.budget_hours:g}, so the run is likely to stop before "
            "all trials have begun; running it again goes on"
        )
    return lines


def _training(hours: Span) -> str:
    return f"{duration(hours.likely)} of training{_spread(hours)}"


def _elapsed(forecast: Forecast) -> str:
    if forecast.hours_left is None:
        return "; no job fits on this machine"
    at_a_time = "one job" if forecast.concurrent == 1 else f"{forecast.concurrent} jobs"
    return f", done in {duration(forecast.hours_left.likely)} with {at_a_time} at a time{_spread(forecast.hours_left)}"


def _spread(hours: Span) -> str:
    if hours.low is None or hours.high is None:
        return ""
    low, high = duration(hours.low), duration(hours.high)
    return "" if low == high else f" ({low} to {high})"


def _basis(basis: Basis) -> str:
    return f"{basis.num_past} earlier {'trial' if basis.num_past == 1 else 'trials'} {LIKE[basis.likeness]}"


def duration(hours: float) -> str:
    """`0.4 s`, `40 s`, `12 min`, `3.4 h`, `120 h`."""
    seconds = hours * 3600
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h"
