"""Finds which artefacts of a trial are yet to be made."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from craftc.runtime.store.store import Store
from craftc.schemas.artefact import FOLDER, Artefact, PlannedArtefact, file_stem
from craftc.schemas.plan import Plan, Trial, first_replicates


class Wanted(NamedTuple):
    """An artefact to be made: of the weights that were kept of an epoch, or of the best; None."""

    planned: PlannedArtefact
    epoch: int | None


def asked_of(trial: Trial, plan: Plan) -> tuple[PlannedArtefact, ...]:
    """The artefacts that a plan makes of a trial."""
    first = trial.id in first_replicates(plan)
    return tuple(each for each in plan.artefacts if each.replicates == "all" or first)


def lacking(
    trial: Trial, planned: Sequence[PlannedArtefact], store: Store, kept: Sequence[int], *, is_finished: bool
) -> list[Wanted]:
    """Those of `planned` that the trial's folder has not, or of other settings; `kept` are the epochs whose weights
    are kept."""
    folder = store.folder(trial.id) / FOLDER
    found = [Wanted(each, epoch) for epoch in kept for each in planned if each.every and epoch % each.every == 0]
    if is_finished:
        found += [Wanted(each, None) for each in planned]
    return [each for each in found if not _is_made(folder, each)]


def _is_made(folder: Path, wanted: Wanted) -> bool:
    made = read_artefact(folder / f"{file_stem(wanted.planned.name, wanted.epoch)}.json")
    return made is not None and made.digest == wanted.planned.digest


def read_artefact(path: Path) -> Artefact | None:
    """What is kept of an artefact; None where there is no such file, or it is damaged: it is then made anew."""
    try:
        return Artefact.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
