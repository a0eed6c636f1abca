"""Makes artefacts of one trial and writes them into its folder in the store."""

import json
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from craftc.components.artefacts.trained import ArtefactError, Made
from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.own_line import told
from craftc.runtime.artefacts.lacking import Wanted, lacking
from craftc.runtime.store.store import Store
from craftc.schemas.artefact import FOLDER, Artefact, PlannedArtefact, file_stem
from craftc.schemas.plan import Trial
from craftc.training.foundation.atomic_file import write_atomically
from craftc.training.foundation.errors import TrainingError
from craftc.training.loop.open_trained import Opened, open_trained
from craftc.training.state.checkpoint import forget_kept, kept_epochs, load_best, load_kept

MOST_BYTES = 2**22
"""Of the JSON of one artefact."""


class NotMade(NamedTuple):
    """An artefact that could not be made, and why."""

    name: str
    reason: str


def make_artefacts(trial: Trial, planned: Sequence[PlannedArtefact], store: Store) -> Iterator[NotMade]:
    """Make what the trial lacks of `planned`, and forget weights that were kept for it. Yields what failed."""
    folder, kept = store.folder(trial.id), kept_epochs(store.folder(trial.id))
    is_finished = store.is_finished(trial.id)
    wanted = lacking(trial, planned, store, kept, is_finished=is_finished)
    if wanted:
        try:
            opened = open_trained(trial, folder, store.prepared)
        except Exception as error:
            yield from (NotMade(name, _sentence(error)) for name in dict.fromkeys(each.planned.name for each in wanted))
            wanted = []
        for each in wanted:
            try:
                _make(each, opened, store)
            except Exception as error:
                # The boundary to components that may be a user's own: an artefact that fails ends nothing.
                yield NotMade(each.planned.name, _sentence(error))
    for epoch in kept:
        forget_kept(folder, epoch)


def _make(wanted: Wanted, opened: Opened, store: Store) -> None:
    trial, planned, folder = opened.trial, wanted.planned, opened.folder
    on = torch.device("cpu")
    if wanted.epoch is not None:
        epoch, weights = wanted.epoch, load_kept(folder, trial, on, epoch=wanted.epoch)
    else:
        result = store.result(trial.id)
        of = trial.model_copy(update={"id": result.trial})
        epoch, weights = result.best_epoch, load_best(folder, of, on, epoch=result.best_epoch)
    with torch.no_grad():
        trained = opened.trained(weights, planned.of, epoch)
        component: Any = build("artefacts", planned.component)
        made = component.make(trained)
    if not isinstance(made, Made):
        raise ArtefactError(f"make() returned {type(made).__name__}, and not craftc.components.artefacts.trained.Made")
    _write(made, wanted, trial.id, epoch, folder / FOLDER)


def _write(made: Made, wanted: Wanted, trial: str, epoch: int, folder: Path) -> None:
    """The picture and the text first: where there is a JSON file, there is all of it."""
    planned, stem = wanted.planned, file_stem(wanted.planned.name, wanted.epoch)
    artefact = Artefact(
        name=planned.name,
        kind=planned.kind,
        trial=trial,
        epoch=epoch,
        of=planned.of,
        digest=planned.digest,
        # What JSON has no word for, a NaN above all, is said here and not by who reads it.
        values=json.loads(json.dumps(dict(made.values), allow_nan=False)),
        text=made.text,
        picture=None if made.picture is None else f"{stem}.png",
    )
    content = artefact.model_dump_json(indent=1).encode() + b"\n"
    if len(content) > MOST_BYTES:
        raise ArtefactError(f"it would take {len(content):,} bytes, and {MOST_BYTES:,} are the most")
    folder.mkdir(parents=True, exist_ok=True)
    files = {"png": made.picture, "txt": None if made.text is None else made.text.encode(), "json": content}
    for ending, written in files.items():
        path = folder / f"{stem}.{ending}"
        if written is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, written)


def _sentence(error: Exception) -> str:
    """What the user is shown; where it came about is in the log."""
    if isinstance(error, ArtefactError | TrainingError | DataError):
        return str(error)
    traceback.print_exception(error)
    return told(error)
