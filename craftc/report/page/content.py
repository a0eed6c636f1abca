"""What a page shows, read from a run's folder and the store."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from craftc.compiler.reading.parse import parse
from craftc.report.page.artefacts import Artefact
from craftc.report.page.chosen_variants import curve_variants
from craftc.report.read_conclusion import read_conclusion
from craftc.report.read_run import read_run
from craftc.report.read_search import SearchResults, read_search
from craftc.schemas.conclusion import Conclusion
from craftc.schemas.plan import Plan, variant_trials
from craftc.schemas.result import EpochRecord, Result, TrialFailed
from craftc.schemas.search import SearchPoint
from craftc.training.state.history import read_history

RUN_NAME = re.compile(r"(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)(?:_j(\w+))?")
MOST_HISTORIES = 1_000
"""Trials whose records are read for the curves of a search."""

Histories = Mapping[str, Sequence[EpochRecord]]


@dataclass(frozen=True)
class PageContent:
    """Everything that the page says, and nothing of when or where it is made.

    `run` is `NAME/RUN`, below a folder called `runs`. `histories` are the records of the trials whose curves are drawn,
    of unfinished ones too. `spec` is the spec as written, `resolved` the complete one; empty where the run has none.
    """

    runs: str
    run: str
    plan: Plan
    conclusion: Conclusion
    results: Mapping[str, Result]
    failures: Mapping[str, TrialFailed]
    search: SearchResults | None
    histories: Histories
    spec: str = ""
    resolved: str = ""
    description: str = ""
    is_running: bool = False
    artefacts: tuple[Artefact, ...] = ()

    @property
    def began(self) -> str:
        """`2026-11-21 03:15:00`, by the run's name; the name itself where it is none."""
        name = self.run.rpartition("/")[2]
        found = RUN_NAME.fullmatch(name)
        if found is None:
            return name
        year, month, day, hour, minute, second, job = found.groups()
        return f"{year}-{month}-{day} {hour}:{minute}:{second}{f', Slurm job {job}' if job else ''}"


def read_content(run_dir: Path, *, is_running: bool = False) -> PageContent:
    """Read the run, as far as it is. Raises RunUnreadableError."""
    run_dir = run_dir.resolve()
    plan, results, failures = read_run(run_dir)
    search = read_search(run_dir)
    conclusion = read_conclusion(run_dir)
    spec, resolved = (_text(run_dir / name) for name in ("spec.yaml", "spec.resolved.yaml"))
    store = run_dir.parent.parent / "store"
    return PageContent(
        runs=run_dir.parent.parent.name,
        run=f"{run_dir.parent.name}/{run_dir.name}",
        plan=plan,
        conclusion=conclusion,
        results=results,
        failures=failures,
        search=search,
        histories={
            trial: read_history(store / trial, trial).records for trial in _with_curves(plan, conclusion, search)
        },
        spec=spec,
        resolved=resolved,
        description=_description(spec),
        is_running=is_running,
        artefacts=tuple(_artefacts(conclusion)),
    )


def _artefacts(conclusion: Conclusion) -> Iterator[Artefact]:
    """Those of the best weights, the baseline's first: the picture, where there is one, and else the text. Those of
    epochs stay in the store."""
    best = [each for each in conclusion.artefacts if each.is_best]
    for each in sorted(best, key=lambda each: each.variant != conclusion.baseline):
        title = f"{each.name} of {each.variant} {each.replicate}, {each.of}"
        for file in map(Path, each.files[:1]):
            if not file.is_file():
                continue  # it is being made anew
            is_picture = file.suffix == ".png"
            yield Artefact(title, file.read_bytes() if is_picture else file.read_text(encoding="utf-8"))


def _with_curves(plan: Plan, conclusion: Conclusion, search: SearchResults | None) -> list[str]:
    trials = variant_trials(plan)
    shown = [trial.id for row in curve_variants(conclusion) for trial in trials[row.name]]
    points = [point for study in search.summary.studies for point in study.points] if search else []
    return [*dict.fromkeys((*shown, *_of_points(points)))]


def _of_points(points: Iterable[SearchPoint]) -> list[str]:
    """The trials of the points, first those of the first seed, as many as are read."""
    ranked = sorted((rank, number, trial) for number, p in enumerate(points) for rank, trial in enumerate(p.trials))
    return [trial for _, _, trial in ranked[:MOST_HISTORIES]]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _description(spec: str) -> str:
    document, _ = parse(spec, "spec.yaml")
    tree = document.root.plain() if document is not None else None
    return str(tree.get("description") or "") if isinstance(tree, dict) else ""
