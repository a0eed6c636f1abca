"""Reads which artefacts the trials of a run have in the store."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from craftc.schemas.artefact import FOLDER, Artefact, epoch_in
from craftc.schemas.conclusion import ShownArtefact
from craftc.schemas.plan import Plan, Trial, first_replicates


def read_artefacts(run_dir: Path, plan: Plan) -> tuple[ShownArtefact, ...]:
    """Those that the plan asks for, in its order, of each variant, those made while a trial trained first.

    Paths begin as `run_dir` does. A damaged file is passed over: the next run makes it anew.
    """
    store, first = run_dir.parent.parent / "store", first_replicates(plan)
    found: list[ShownArtefact] = []
    for planned in plan.artefacts:
        for trial in plan.trials:
            if planned.replicates == "all" or trial.id in first:
                found += _of_trial(planned.name, trial, store / trial.id / FOLDER)
    return tuple(found)


def _of_trial(name: str, trial: Trial, folder: Path) -> Iterator[ShownArtefact]:
    whole = [folder / f"{name}.json"]
    for path in (*sorted(folder.glob(f"{name}.epoch_*.json")), *(each for each in whole if each.is_file())):
        try:
            kept = Artefact.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        beside = {"png": kept.picture is not None, "txt": kept.text is not None}
        endings = [ending for ending, is_there in beside.items() if is_there]
        yield ShownArtefact(
            name=name,
            kind=kept.kind,
            variant=trial.variant,
            replicate=trial.replicate,
            trial=trial.id,
            epoch=kept.epoch,
            of=kept.of,
            is_best=epoch_in(path.stem) is None,
            path=str(path),
            files=tuple(str(path.with_suffix(f".{ending}")) for ending in endings),
        )
