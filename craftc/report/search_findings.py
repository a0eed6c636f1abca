"""Writes the findings of a conclusion's searches, one sentence each."""

from collections.abc import Iterator

from craftc.report.numbers import bracketed, counted, fixed
from craftc.report.trivial import against_trivial
from craftc.report.wording import listed
from craftc.schemas.conclusion import Conclusion, Difference, Finding, SearchConclusion

ROUGH_IMPORTANCES = 20
"""Below this many finished points, importances are rough."""


def find_searches(conclusion: Conclusion, decimals: int) -> list[Finding]:
    """What each search found, on what it optimized and on the headline; at what cost; what mattered."""
    several = len(conclusion.searches) > 1
    findings: list[Finding] = []
    for search in conclusion.searches:
        where = f"{search.variant}: " if several else ""
        sentences = _sentences(search, conclusion, decimals)
        findings += [
            Finding(kind="search", text=_capital(where + text), variants=(search.variant,)) for text in sentences
        ]
    return findings + _tuned(conclusion, decimals)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _sentences(search: SearchConclusion, conclusion: Conclusion, decimals: int) -> Iterator[str]:
    if search.best is None:
        yield f"no point of the search finished; {_counts(search)}."
        return
    if search.is_improved:
        against = (
            f"against {fixed(search.start.value, decimals)} at its start"
            if search.start
            else "(its start has no value)"
        )
        found = f"{search.metric} {fixed(search.best.value, decimals)} {against}"
        which = f"point {search.best.number}, the best of {search.num_points}"
        yield f"the search found a better setting than its starting point: {found} ({which})."
        yield from _held_out(search, conclusion, decimals)
    else:
        value = fixed(search.best.value, decimals)
        points = counted(search.num_points, "point")
        yield f"of {points} none is better than the starting point, {search.metric} {value}."
    yield f"{_counts(search)}; {_epochs(search)}."
    if search.is_improved:
        yield from _trivial(search, conclusion, decimals)
    if search.importances:
        yield _importances(search, search.importances)


def _held_out(search: SearchConclusion, conclusion: Conclusion, decimals: int) -> Iterator[str]:
    headline = f"{conclusion.metric.split}/{conclusion.metric.name}"
    if headline == search.metric:
        yield f"the choice was made by {headline} itself, which flatters the best of {search.num_points}."
        return
    if search.metric.partition("/")[0] == conclusion.metric.split:
        yield (
            f"the choice was made by {search.metric}, on the same samples that {headline} is measured on, which "
            f"flatters the best of {search.num_points} in both."
        )
        return
    difference = search.difference
    if difference is None:
        yield f"the choice was made by {search.metric}, which flatters the best of {search.num_points}."
        return
    if difference.interval is None:
        size = f"{fixed(difference.mean, decimals, sign=True)} ({_no_interval(difference)})"
    else:
        size = f"{fixed(difference.mean, decimals, sign=True)} {bracketed(difference.interval, decimals, sign=True)}"
        clear = {"better": "", "worse": ", worse", "undecided": ", not told from chance"}.get(difference.verdict, "")
        size += f" ({_paired(difference)}{clear})"
    yield (
        f"the choice was made by {search.metric}, which flatters the best of {search.num_points}; "
        f"{headline}, which took no part in it, changes by {size}."
    )


def _no_interval(difference: Difference) -> str:
    what, num = ("fold" if difference.folds else "seed"), difference.num_pairs
    return f"one {what}, so no interval" if num == 1 else f"the same in all {num} {what}s, so no interval"


def _paired(difference: Difference) -> str:
    return f"{difference.num_pairs} paired {'folds' if difference.folds else 'seeds'}"


def _trivial(search: SearchConclusion, conclusion: Conclusion, decimals: int) -> Iterator[str]:
    best = search.best
    if best is not None and best.headline is not None and best.trivial is not None:
        headline = f"{conclusion.metric.split}/{conclusion.metric.name}"
        who = f"the best point ({best.number})"
        yield against_trivial(who, headline, best.headline, best.trivial, conclusion.mode, decimals)


def _counts(search: SearchConclusion) -> str:
    again = f" ({search.num_repeated} of them repeat an earlier one, for which nothing is trained)"
    counts = [
        (search.num_finished, f"finished{again if search.num_repeated else ''}"),
        (search.num_pruned, "pruned"),
        (search.num_failed, "failed"),
        (search.num_unfinished, "left unfinished"),
    ]
    ends = ", ".join(f"{number} {word}" for number, word in counts if number) or "none ended"
    text = f"of {counted(search.num_points, 'point')} {ends}"
    if search.num_infeasible:
        text += f", and {search.num_infeasible} more were refused before training"
    return text


def _epochs(search: SearchConclusion) -> str:
    """What was trained of what was planned, and why the rest was not."""
    trained, planned, saved = search.epochs.trained, search.epochs.planned, search.epochs_saved
    if planned == 0:
        return f"{counted(trained, 'record')} {'was' if trained == 1 else 'were'} made"
    text = f"{trained} of {counted(planned, 'planned epoch')} {'was' if planned == 1 else 'were'} trained"
    if saved:
        text += f", {saved / planned:.0%} saved by pruning and early stopping"
    if (lost := planned - trained - saved) > 0:
        text += (
            f", {lost / planned:.0%} lost to failures" if not search.num_unfinished else f", {lost / planned:.0%} not"
        )
    return text


def _importances(search: SearchConclusion, importances: dict[str, float]) -> str:
    shares = listed([f"{path} {share:.2f}" for path, share in importances.items()])
    num_points = search.num_finished - search.num_repeated + (search.start is not None)
    rough = ", few enough to be rough" if num_points < ROUGH_IMPORTANCES else ""
    return f"what mattered (fANOVA over {num_points} finished points{rough}): {shares}."


def _tuned(conclusion: Conclusion, decimals: int) -> list[Finding]:
    """What a tuned ablation is for: each variant at its own best setting against the baseline at its own."""
    findings = []
    for search in conclusion.searches:
        difference = search.tuned_difference
        if difference is None:
            continue
        interval = f" {bracketed(difference.interval, decimals, sign=True)}" if difference.interval else ""
        seeds = _paired(difference) if difference.interval else _no_interval(difference)
        headline = f"{conclusion.metric.split}/{conclusion.metric.name}"
        size = f"{fixed(difference.mean, decimals, sign=True)}{interval} ({seeds})"
        both = f"{search.variant} and {conclusion.baseline}, each at its own best setting"
        text = f"{both}: {headline} differs by {size}."
        findings.append(Finding(kind="search", text=_capital(text), variants=(search.variant,)))
    return findings


def find_epochs(conclusion: Conclusion) -> list[Finding]:
    """What early stopping saved in the plan's own trials."""
    epochs = conclusion.epochs
    if epochs is None or epochs.trained >= epochs.planned:
        return []
    saved = f"{1 - epochs.trained / epochs.planned:.0%}"
    text = f"Early stopping saved {saved}: {epochs.trained} of {epochs.planned} planned epochs were trained."
    return [Finding(kind="epochs-saved", text=text)]
