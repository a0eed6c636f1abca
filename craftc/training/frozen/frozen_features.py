"""Prepares what the model of a trial is trained on: its data, or the features that a frozen backbone computes.

Features are float32 whatever the precision of training; they are computed on the trial's device, split by split.
"""

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from craftc.compiler.planning.identity.stage_fingerprints import augments_source
from craftc.compiler.planning.identity.weights import DIGEST
from craftc.components.declared import frozen_parts
from craftc.components.models.frozen_backbone import LINEAR
from craftc.components.sources.columns import Column
from craftc.schemas.catalogue import ADAPTER, OUTPUT, REMOVE, FrozenParts
from craftc.schemas.plan import Trial
from craftc.training.data.device_split import EVALUATION_NUMBERS
from craftc.training.data.facts import facts_of, infer_facts
from craftc.training.data.prepare import MAX_CACHED, Augmented, PreparedData, file_stamps, packed, prepare, unpacked
from craftc.training.data.prepared_files import Shelf, features_shelf_of, shelf_of, take
from craftc.training.data.split import Split
from craftc.training.foundation.errors import TrainingError
from craftc.training.frozen.backbone import Backbone, build_backbone


def prepare_inputs(trial: Trial, device: torch.device, prepared: Path | None = None) -> PreparedData:
    """What the trial's model, or the head of its frozen backbone, is trained on; see `prepare`.

    With augmentation the backbone is in what is returned, for batches that are not known yet. Raises DataError and
    TrainingError.
    """
    data, model = trial.config["data"], trial.config["model"]
    parts = frozen_parts(model["kind"])
    if parts is None:
        return prepare(data, shelf_of(trial, prepared), model)
    raw = shelf_of(trial, prepared)
    seed = trial.seed if model[parts.weights] == "random" else 0
    settings = {name: value for name, value in data.items() if name != "augment"}
    backbone = {name: value for name, value in model.items() if name not in (parts.head, REMOVE, ADAPTER)}
    stamps = (device.type, _weights_stamp(model, parts), *file_stamps(data["source"]))
    # The same files for all that is prepared: whether the train split is kept as the source gives it, too.
    kept = [{"when": "before_normalize"}] if augments_source(data) else []
    asked = json.dumps([settings | {"augment": kept}, backbone, seed], sort_keys=True)
    found = _features(asked, stamps, str(device), raw, features_shelf_of(trial, prepared))
    infer_facts(model[parts.head], found.facts, f"model.{parts.head}")
    if not data["augment"]:
        return found
    samples = prepare(data, raw, model)
    features = build_backbone(model, samples, seed, device)
    normalize = samples.augmented.normalize if samples.augmented else None
    return replace(found, augmented=Augmented(samples.train, normalize, features))


def trained_part(trial: Trial) -> Trial:
    """The trial with the model that is trained as its model: of a frozen backbone, the head."""
    model = trial.config["model"]
    parts = frozen_parts(model["kind"])
    if parts is None:
        return trial
    beside = {OUTPUT: model.get(OUTPUT, "none"), REMOVE: model.get(REMOVE, [])}
    if ADAPTER in model:
        beside[ADAPTER] = model[ADAPTER]
    head = model[parts.head] | beside
    return trial.model_copy(update={"config": trial.config | {"model": head}})


@lru_cache(maxsize=MAX_CACHED)
def _features(asked: str, stamps: tuple[Any, ...], device: str, raw: Shelf | None, shelf: Shelf | None) -> PreparedData:
    """The latest stay in memory: the trials of a process that differ in the head alone have one array."""
    settings, backbone, seed = json.loads(asked)

    def make() -> PreparedData:
        data = prepare(settings, raw, backbone)
        parts = frozen_parts(backbone["kind"])
        # Whatever the head is: it has no say in what the backbone computes.
        model = backbone if parts is None else {**backbone, parts.head: LINEAR}
        return _of_all(data, build_backbone(model, data, seed, torch.device(device)), torch.device(device))

    return make() if shelf is None else unpacked(*take(shelf, stamps, lambda: packed(make())))


def _of_all(data: PreparedData, backbone: Backbone, device: torch.device) -> PreparedData:
    splits = {
        name: _with_features(split, _of_split(split.inputs, backbone, device, name))
        for name, split in data.splits.items()
    }
    facts = facts_of(splits["train"])
    facts |= {"num_characters": data.facts["num_characters"]} if "num_characters" in data.facts else {}
    return PreparedData(splits, data.class_counts, facts, warnings=data.warnings, vocabulary=data.vocabulary)


def _with_features(split: Split, features: NDArray[np.float32]) -> Split:
    """Features in the place of the first input."""
    return Split({**split.columns, split.first: Column(features, "real")})


def _of_split(inputs: NDArray[Any], backbone: Backbone, device: torch.device, name: str) -> NDArray[np.float32]:
    size = max(EVALUATION_NUMBERS // max(inputs[0].size, 1), 1)
    features: NDArray[np.float32] | None = None
    for start in range(0, len(inputs), size):
        # A copy: a backbone that works in place on its input must not change the data that other trials share.
        batch = torch.from_numpy(inputs[start : start + size].copy()).to(device)
        found = backbone(batch).cpu().numpy()
        if features is None:
            features = np.empty((len(inputs), *found.shape[1:]), dtype=np.float32)
        features[start : start + size] = found
    assert features is not None
    if not np.isfinite(features).all():
        raise TrainingError("features-unusable", f"model.features: those of {name} have NaN or infinity among them")
    return features


def _weights_stamp(model: dict[str, Any], parts: FrozenParts) -> str:
    """The digest of the file that was planned with; without a plan, its size and date."""
    if model[parts.weights] == "random" or DIGEST in model:
        return str(model.get(DIGEST, ""))
    path = Path(model[parts.weights])
    return f"{path.stat().st_size} {path.stat().st_mtime_ns}" if path.exists() else ""


def forget() -> None:
    """As in a process that has computed no features yet."""
    _features.cache_clear()
