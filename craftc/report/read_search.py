"""Reads what the search of a run found, and the results of its points."""

from dataclasses import dataclass
from pathlib import Path

from craftc.report.read_run import Tell, parse_file, read_results
from craftc.schemas.result import Result
from craftc.schemas.search import SearchSummary


@dataclass(frozen=True)
class SearchResults:
    """`results` are those of every finished point, by trial."""

    summary: SearchSummary
    results: dict[str, Result]


def read_search(run_dir: Path, tell: Tell = lambda damaged: None) -> SearchResults | None:
    """Read search.json; None for a run that searched nothing, or ended before its search did. `tell` is told of results
    that are damaged.

    Raises RunUnreadableError.
    """
    path = run_dir.resolve() / "search.json"
    if not path.is_file():
        return None
    summary = parse_file(path, SearchSummary)
    store = path.parent.parent.parent / "store"
    finished = (point for study in summary.studies for point in study.points if point.state == "finished")
    return SearchResults(summary, read_results(store, (trial for point in finished for trial in point.trials), tell))
