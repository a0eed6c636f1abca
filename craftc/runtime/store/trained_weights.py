"""Finds the finished trial whose weights a spec names by the beginning of its id."""

import os
import re
from functools import cache
from typing import Any

from craftc.compiler.planning.identity.weights import Trained, TrainedTrial, WeightsError
from craftc.compiler.reading.problem import show
from craftc.runtime.store.store import Store
from craftc.training.foundation.seal import DamagedError
from craftc.training.foundation.trial_config import read_config

_ID = re.compile(r"[0-9a-f]{64}")
LEAST_CHARACTERS = 4


def trained_trials(store: Store) -> Trained:
    """The store's trials, as they are when each is first asked for."""
    return cache(lambda beginning: _find(beginning, store))


def _find(beginning: str, store: Store) -> TrainedTrial:
    trial = beginning if _ID.fullmatch(beginning) else _completed(beginning, store)
    folder = store.folder(trial)
    if not folder.is_dir():
        raise _none(beginning, store)
    if not store.is_finished(trial):
        message = f"trial {trial[:12]} is not finished, so it has no best weights yet"
        raise WeightsError("weights-unfinished", message, "run its spec to the end first")
    file = folder / "checkpoints" / "best.pt"
    if not file.is_file():
        message = f"the weights of trial {trial[:12]} have been removed from {folder}"
        raise WeightsError("weights-not-found", message, "delete the folder and run its spec, to train it again")
    return TrainedTrial(trial, file, _model(trial, store))


def _completed(beginning: str, store: Store) -> str:
    """The id that begins so."""
    if not re.fullmatch(rf"[0-9a-f]{{{LEAST_CHARACTERS},64}}", beginning):
        message = f"{show(beginning)} is no beginning of a trial's id"
        hint = f"at least {LEAST_CHARACTERS} characters, 0-9 and a-f, as craftc plan --format json tells them"
        raise WeightsError("weights-not-found", message, hint)
    names = os.listdir(store.root) if store.root.is_dir() else []
    found = sorted(name for name in names if name.startswith(beginning) and _ID.fullmatch(name))
    if not found:
        raise _none(beginning, store)
    if len(found) > 1:
        message = f"the ids of {len(found)} trials begin with {beginning}"
        raise WeightsError("weights-not-found", message, f"write more of it: {', '.join(id[:16] for id in found[:3])}")
    return found[0]


def _none(beginning: str, store: Store) -> WeightsError:
    message = f"{store.root} has no trial {beginning[:16]}"
    return WeightsError("weights-not-found", message, "is it of another --runs-dir?")


def _model(trial: str, store: Store) -> dict[str, Any]:
    """The model that it trained; of a damaged configuration nothing is known."""
    try:
        model = read_config(store.folder(trial))["model"]
        if isinstance(model, dict):
            return model
        why = "has no model"
    except DamagedError as error:
        why = str(error)
    except (OSError, KeyError):
        why = "cannot be read"
    message = f"the configuration of trial {trial[:12]} {why}"
    hint = f"craftc verify --fix writes it again; or name the file: {store.folder(trial)}/checkpoints/best.pt"
    raise WeightsError("weights-not-found", message, hint)
