"""Compares two experiments, each a spec or a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from craftc.report.diff_fields import diff_fields
from craftc.report.diff_trials import diff_trials
from craftc.schemas.comparison import Comparison, Side
from craftc.schemas.plan import Plan, variant_trials

if TYPE_CHECKING:
    from craftc.report.diff_conclusions import ConcludedRun


@dataclass(frozen=True)
class Experiment:
    """A side of a comparison. `fields` are those of its spec, every default filled in; None where the spec of a run
    cannot be read any more, and `why_no_fields` says why. `finished` are the trials whose results there are; `run` is
    None for a spec."""

    side: Side
    plan: Plan
    fields: Mapping[str, Any] | None
    finished: frozenset[str]
    why_no_fields: str = ""
    run: "ConcludedRun | None" = None


def diff_experiments(a: Experiment, b: Experiment) -> Comparison:
    """Compare fields, trials and, of two runs, conclusions."""
    trials = diff_trials(a.plan, b.plan, b.finished)
    renamed = {change.name: change.other_name or "" for change in trials.variants if change.status == "renamed"}
    conclusion = None
    if a.run is not None and b.run is not None:
        # Lazily: statistics need scipy, and two specs do not.
        from craftc.report.diff_conclusions import diff_conclusions

        conclusion = diff_conclusions(a.run, b.run, renamed)
    notes = []
    fields = a.fields, b.fields
    if a.fields is None or b.fields is None:
        unread = [f"{each.side.label}: {each.why_no_fields}" for each in (a, b) if each.fields is None]
        notes.append(f"the fields are those of the plans, of what decides results alone; {'; '.join(unread)}")
        fields = plan_fields(a.plan), plan_fields(b.plan)
    one, other = fields
    return Comparison(
        a=a.side,
        b=b.side,
        fields=tuple(diff_fields(one or {}, other or {})),
        trials=trials,
        conclusion=conclusion,
        notes=tuple(notes),
    )


def plan_fields(plan: Plan) -> dict[str, Any]:
    """What a plan shows of its spec: the configuration of the baseline, the seeds, and the search."""
    trials = variant_trials(plan)
    baseline = trials.get(plan.baseline) or plan.trials
    search = None if plan.search is None else plan.search.model_dump(mode="json", exclude={"variants", "resources"})
    return {
        "name": plan.name,
        **baseline[0].config,
        "seeds": [trial.seed for trial in baseline],
        "search": search,
        "headline": plan.headline.model_dump(mode="json"),
        "max_concurrent": plan.max_concurrent,
    }
