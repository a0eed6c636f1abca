"""Draws the conclusion of a run from its folder and the store."""

from pathlib import Path

from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.report.another_metric import with_headline
from craftc.report.budget import read_budget
from craftc.report.conclude import conclude
from craftc.report.gradients import read_histories
from craftc.report.read_artefacts import read_artefacts
from craftc.report.read_run import Tell, read_run
from craftc.report.read_search import read_search
from craftc.schemas.conclusion import Conclusion


def read_conclusion(
    folder: Path, metric: str | None = None, mode: str | None = None, tell: Tell = lambda damaged: None
) -> Conclusion:
    """What a run showed, by the headline or by another metric; `tell` is told of files that are damaged.

    Raises RunUnreadableError and UnknownMetricError.
    """
    plan, results, failures = read_run(folder, tell)
    artefacts, histories = read_artefacts(folder, plan), read_histories(folder, plan)
    if metric is not None:
        plan = with_headline(plan, results, metric, built_in_catalogue(), mode)
    return conclude(plan, results, failures, read_search(folder, tell), read_budget(folder), artefacts, histories)
