"""Summarises every metric of every variant, and what each cost, side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from types import MappingProxyType

from craftc.report.another_metric import measured_metrics
from craftc.report.variant_summary import summarise
from craftc.schemas.conclusion import Cost, Estimate, MetricTable, VariantMetrics
from craftc.schemas.plan import Headline, Plan, Trial, variant_trials
from craftc.schemas.result import Result, TrialFailed
from craftc.training.state.history import read_history


def metric_table(
    plan: Plan,
    results: Mapping[str, Result],
    failures: Mapping[str, TrialFailed],
    tokens: Mapping[str, float] = MappingProxyType({}),
) -> MetricTable:
    """Means over seeds with their intervals, as the conclusion has them of one metric. `tokens` are those that trials
    have read, where they were counted. Nothing is compared: with as many metrics as this, some difference would be
    large by chance."""
    names = measured_metrics(results)
    rows = []
    for name, trials in variant_trials(plan).items():
        finished = [results[trial.id] for trial in trials if trial.id in results]
        metrics = {metric: _of(metric, name, trials, plan, results, failures) for metric in names}
        known = {metric: estimate for metric, estimate in metrics.items() if estimate is not None}
        cost = _cost(finished, tokens)
        rows.append(
            VariantMetrics(name=name, num_planned=len(trials), num_finished=len(finished), metrics=known, cost=cost)
        )
    return MetricTable(name=plan.name, metrics=tuple(names), variants=tuple(rows))


def _of(
    metric: str,
    name: str,
    trials: Sequence[Trial],
    plan: Plan,
    results: Mapping[str, Result],
    failures: Mapping[str, TrialFailed],
) -> Estimate | None:
    split, _, measure = metric.partition("/")
    # Which way it is better says nothing of a mean.
    of_it = plan.model_copy(update={"headline": Headline(split=split, metric=measure, mode="max")})
    return summarise(name, trials, of_it, results, failures, None).value


def _cost(finished: Sequence[Result], tokens: Mapping[str, float]) -> Cost:
    def mean(of: Callable[[Result], float | None]) -> float | None:
        return _mean(map(of, finished))

    trained = [result for result in finished if result.execution.read_off is None]
    return Cost(
        parameters=mean(lambda result: result.num_parameters),
        steps=mean(lambda result: result.steps),
        hours=_mean(result.seconds / 3600 for result in trained),
        ms_per_step=_mean(1000 * result.seconds / result.steps for result in trained if result.steps),
        tokens_per_second=_mean(tokens[each.trial] / each.seconds for each in trained if each.trial in tokens),
    )


def tokens_read(plan: Plan, store: Path) -> dict[str, float]:
    """Of each trial that counts them, the tokens of its last record."""
    found = {}
    for trial in plan.trials:
        if "max_tokens" in trial.config.get("training", {}) and (
            history := read_history(store / trial.id, trial.id).records
        ):
            found[trial.id] = history[-1].metrics.get("train/tokens", 0.0)
    return found


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
