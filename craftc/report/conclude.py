"""Draws the conclusion from a plan, its results and its failures."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType

from craftc.compiler.language.pass_names import pass_of, plain_measure
from craftc.report.at_looks import decided, without_withheld
from craftc.report.budget import find_budget
from craftc.report.compare import compare
from craftc.report.conclude_search import conclude_search
from craftc.report.decide import comparisons
from craftc.report.findings import find
from craftc.report.gradients import Histories, find_gradients, gradients_of
from craftc.report.hypotheses import judge_hypotheses
from craftc.report.methods import methods
from craftc.report.read_search import SearchResults
from craftc.report.trial_findings import find_not_finite, find_selection
from craftc.report.variant_summary import gap_splits, summarise
from craftc.report.wording import one_line
from craftc.schemas.conclusion import (
    Conclusion,
    EpochCount,
    Failure,
    MetricIdentity,
    ShownArtefact,
    TrivialPredictor,
    VariantSummary,
)
from craftc.schemas.plan import Headline, Plan, Trial, VariantTrials, variant_trials
from craftc.schemas.result import BudgetSpent, Result, TrialFailed


def conclude(
    plan: Plan,
    results: Mapping[str, Result],
    failures: Mapping[str, TrialFailed],
    search: SearchResults | None = None,
    budget: BudgetSpent | None = None,
    artefacts: Sequence[ShownArtefact] = (),
    histories: Histories = MappingProxyType({}),
) -> Conclusion:
    """Compare every variant of the plan with its baseline. `results` and `failures` are keyed by trial.

    With `search`, also the best point of each study with its starting point; with `budget`, what was left out for lack
    of it. `histories` are those of trials whose gradients' norms are recorded.

    How: `statistics.py` says which intervals and tests, `compare.py` what is comparable, `decide.py` what follows of
    all comparisons together, `findings.py` what is said.
    """
    trials = variant_trials(plan)
    gap = gap_splits(plan, results)
    rows = [summarise(name, of_variant, plan, results, failures, gap) for name, of_variant in trials.items()]
    rows = without_withheld(compare(rows, trials, plan), plan)
    conclusion = Conclusion(
        name=plan.name,
        baseline=plan.baseline,
        metric=_headline_identity(plan, rows),
        mode=plan.headline.mode,
        gap_splits=gap,
        num_comparisons=len(comparisons(rows)),
        correction=plan.analysis_plan.correction,
        margin=plan.analysis_plan.margin,
        looks=plan.analysis_plan.looks,
        variants=tuple(rows),
        trivial=_trivial(plan, rows, results),
        record_name="record" if any(trial.record_name == "record" for trial in plan.trials) else "epoch",
        epochs=_epochs(plan, results),
        searches=tuple(conclude_search(plan, search)) if search else (),
        classes=_classes(plan, results),
        artefacts=tuple(artefacts),
        failures=tuple(_failure(trial, failures[trial.id]) for trial in plan.trials if trial.id in failures),
        gradients=tuple(gradients_of(plan, histories)),
    )
    findings = find(conclusion, _ran_out_of_epochs(trials, rows, results))
    findings += find_selection(plan, trials, results)
    findings += find_not_finite(plan, {**results, **(search.results if search else {})})
    findings += find_gradients(plan, conclusion.gradients)
    findings += find_budget(plan, results, budget)
    hypotheses = judge_hypotheses(plan, conclusion)
    conclusion = conclusion.model_copy(update={"findings": tuple(findings), "hypotheses": hypotheses})
    return conclusion.model_copy(update={"methods": methods(plan, conclusion, results)})


def decided_variants(plan: Plan, results: Mapping[str, Result], failures: Mapping[str, TrialFailed]) -> frozenset[str]:
    """The variants that get no more seeds, where they are added until it is decided what a variant does."""
    trials = variant_trials(plan)
    rows = [summarise(name, of_variant, plan, results, failures, None) for name, of_variant in trials.items()]
    return decided(compare(rows, trials, plan), plan)


def _classes(plan: Plan, results: Mapping[str, Result]) -> tuple[str, ...]:
    orders = {results[trial.id].classes for trial in plan.trials if trial.id in results}
    return orders.pop() if len(orders) == 1 else ()


def _epochs(plan: Plan, results: Mapping[str, Result]) -> EpochCount | None:
    """Of the finished trials of which it is known how many were planned; None where there is none."""
    finished = [results[trial.id] for trial in plan.trials if trial.id in results]
    known = [(result.epochs_trained, result.epochs_planned) for result in finished if result.epochs_planned is not None]
    if not known:
        return None
    return EpochCount(trained=sum(trained for trained, _ in known), planned=sum(planned for _, planned in known))


def _headline_identity(plan: Plan, rows: Sequence[VariantSummary]) -> MetricIdentity:
    """The baseline's, or that of the first variant that measured the headline."""
    known = [row.metric for row in _baseline_first(rows) if row.value is not None]
    return known[0] if known else MetricIdentity(split=plan.headline.split, name=plan.headline.metric, averaging=None)


def _trivial(plan: Plan, rows: Sequence[VariantSummary], results: Mapping[str, Result]) -> TrivialPredictor | None:
    """The trivial predictor beside the baseline, or beside the first variant that has it. A constant is the same by any
    pass, which changes what a model makes of a sample."""
    by_trial = {trial.id: _without_pass(plan.headline, trial) for trial in plan.trials}
    for row in _baseline_first(rows):
        measured = [(results[seed.trial].trivial, by_trial[seed.trial]) for seed in row.seeds if seed.trial in results]
        values = [trivial[name] for trivial, name in measured if name in trivial]
        if values and row.value is not None:
            return TrivialPredictor(value=fmean(values), metric=row.metric)
    return None


def _without_pass(headline: Headline, trial: Trial) -> str:
    passes = trial.config.get("evaluation", {}).get("passes", {})
    measure = plain_measure(headline.name, passes)
    return headline.name if pass_of(headline.name, passes) is None else f"{headline.split}/{measure}"


def _baseline_first(rows: Sequence[VariantSummary]) -> list[VariantSummary]:
    return sorted(rows, key=lambda row: not row.is_baseline)


def _failure(trial: Trial, failed: TrialFailed) -> Failure:
    return Failure(
        trial=trial.id,
        variants=(trial.variant, *trial.aliases),
        seed=trial.seed,
        code=failed.code,
        message=one_line(failed.message),
        epoch=failed.epoch,
    )


def _ran_out_of_epochs(
    trials: VariantTrials, rows: Sequence[VariantSummary], results: Mapping[str, Result]
) -> list[str]:
    """Variants whose best epoch is the last that was to be trained in every finished seed.

    Nothing follows from it where the last epoch is the best by decree (`evaluation.select: none`) or the only one.
    """
    names = []
    for row in rows:
        finished = [(trial, results[trial.id]) for trial in trials[row.name] if trial.id in results]
        if (
            finished
            and row.same_as is None
            and all(
                result.best_epoch == result.epochs_trained > 1
                and trial.config.get("evaluation", {}).get("select") not in (None, "none")
                and _came_to_its_end(trial, result)
                for trial, result in finished
            )
        ):
            names.append(row.name)
    return names


def _came_to_its_end(trial: Trial, result: Result) -> bool:
    """Whether early stopping ended it neither for certain nor perhaps.

    Where the number of epochs was not planned, a rule that watches what selects the best epoch cannot have stopped
    behind a best one; of any other rule that is not known.
    """
    if result.epochs_planned is not None:
        return result.epochs_trained == result.epochs_planned
    rule, select = trial.config["training"].get("early_stopping"), trial.config["evaluation"]["select"]
    if rule in (None, "none"):
        return True
    return (rule["metric"], rule["mode"], rule["min_delta"]) == (select["metric"], select["mode"], 0)


def render_json(conclusion: Conclusion) -> str:
    """Every field of the conclusion, indented, ending with a line break. All numbers are finite."""
    return conclusion.model_dump_json(indent=2) + "\n"
