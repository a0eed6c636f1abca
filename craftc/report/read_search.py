"""Reads what the search of a run found, and the results of its points."""

from dataclasses import dataclass
from pathlib import Path

from craftc.report.read_run import parse_file
from craftc.schemas.result import Result
from craftc.schemas.search import SearchSummary


@dataclass(frozen=True)
class SearchResults:
    """`results` are those of every finished point, by trial."""

    summary: SearchSummary
    results: dict[str, Result]


def read_search(run_dir: Path) -> SearchResults | None:
    """Read search.json; None for a run that searched nothing, or ended before its search did.

    Raises RunUnreadableError.
    """
    path = run_dir.resolve() / "search.json"
    if not path.is_file():
        return None
    summary = parse_file(path, SearchSummary)
    store = path.parent.parent.parent / "store"
    finished = (point for study in summary.studies for point in study.points if point.state == "finished")
    paths = {trial: store / trial / "result.json" for point in finished for trial in point.trials}
    return SearchResults(summary, {trial: parse_file(path, Result) for trial, path in paths.items() if path.is_file()})
