"""Writes the findings about how trials came to their values: what chose their epochs, and what was not finite."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from craftc.report.numbers import counted
from craftc.report.wording import listed
from craftc.schemas.conclusion import Finding
from craftc.schemas.plan import Plan, Trial, VariantTrials
from craftc.schemas.result import Result
from craftc.schemas.split_roles import role_of


def find_selection(plan: Plan, trials: VariantTrials, results: Mapping[str, Result]) -> list[Finding]:
    """Where the epochs were chosen on the samples that the headline is measured on."""
    by_choice: dict[str, list[str]] = {}
    for name, of_variant in trials.items():
        if any(trial.id in results for trial in of_variant):
            for metric, key in _choices(of_variant[0]):
                if metric.partition("/")[0] == plan.headline.split:
                    by_choice.setdefault(f"{metric} ({key})", []).append(name)
    if not by_choice:
        return []
    names = list(dict.fromkeys(name for named in by_choice.values() for name in named))
    where = "" if len(names) == len(trials) else f" of {listed(names)}"
    what = f"{trials[names[0]][0].record_name}s"
    text = (
        f"The {what}{where} were chosen by {' and '.join(by_choice)}, on the same samples that {plan.headline.name} is "
        "measured on, which flatters it; a split that chooses nothing, such as test, would not."
    )
    return [Finding(kind="selection", text=text, variants=tuple(names))]


def _choices(trial: Trial) -> Iterator[tuple[str, str]]:
    """What the end or the best epoch of a trial is chosen by: metric and key. Of a single epoch nothing is chosen."""
    training, evaluation = (trial.config.get(section, {}) for section in ("training", "evaluation"))
    if trial.epochs == 1:
        return
    for setting, key in (
        (evaluation.get("select"), "evaluation.select"),
        (training.get("early_stopping"), "training.early_stopping"),
    ):
        if isinstance(setting, Mapping):
            yield setting["metric"], key


def find_not_finite(plan: Plan, results: Mapping[str, Result]) -> list[Finding]:
    """Metrics that came to no finite number in some epochs, and trials that had nothing to choose an epoch by."""
    epochs: dict[str, list[int]] = {}
    for result in results.values():
        for name, count in result.not_finite.items():
            epochs.setdefault(name, []).append(count)
    alike: dict[tuple[bool, int, int], list[str]] = {}
    splits = plan.trials[0].config.get("data", {}).get("splits", {}) if plan.trials else {}
    for name, counts in epochs.items():
        alike.setdefault((_is_final(name, splits), sum(counts), len(counts)), []).append(name)
    findings = []
    for (is_held_out, num_epochs, num_trials), names in alike.items():
        were = "was not a finite number" if len(names) == 1 else "were not finite numbers"
        what = plan.trials[0].record_name
        text = f"{listed(names)} {were} in {counted(num_epochs, what)} of {counted(num_trials, 'trial')}"
        text += "." if is_held_out else f"; such {'an' if what == 'epoch' else 'a'} {what} counts as no improvement."
        findings.append(Finding(kind="not-finite", text=text))
    return [*findings, *_without_choice(plan, results)]


def _is_final(metric: str, splits: Mapping[str, Any]) -> bool:
    split = metric.partition("/")[0]
    return role_of(split, splits.get(split)) == "final"


def _without_choice(plan: Plan, results: Mapping[str, Result]) -> list[Finding]:
    names: dict[str, list[str]] = {}
    what = plan.trials[0].record_name
    for trial in plan.trials:
        result, select = results.get(trial.id), trial.config.get("evaluation", {}).get("select")
        if result is not None and isinstance(select, Mapping):
            metric = select["metric"]
            if result.not_finite.get(metric) == result.epochs_trained:
                names.setdefault(metric, []).append(f"{trial.variant} (seed {trial.seed})")
    return [
        Finding(
            kind="not-finite",
            text=f"{metric}, which evaluation.select names, was finite in no {what} of {_several(of)}: their last "
            f"{what} stands for the best.",
        )
        for metric, of in names.items()
    ]


def _several(names: Sequence[str]) -> str:
    return listed(list(dict.fromkeys(names)))
