"""The `data` section in, normalized splits and the facts of the data out: numpy alone, once per process."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.signature import DATA_FACTS
from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.own_line import told
from craftc.components.sources.load import load_samples
from craftc.components.splits import check_disjoint, split_indices
from craftc.schemas.catalogue import is_own
from craftc.training.layout import laid_out
from craftc.training.prepared_files import Content, Shelf, take

TEST = "test"
"""The one split that is looked at only when training is over."""

MAX_CACHED = 4
"""Prepared data sets kept in memory; the variants of an ablation seldom differ in more than two."""


Inputs = NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """Samples of one split: `inputs` float32 (N, *shape), normalized; `targets` int64 (N,). Never written to."""

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class PreparedData:
    """All splits, train first and test last.

    `class_counts` (C,) are those of train, none of them zero; `facts` is what `infer` can take. `augmented` is None
    where augmentations work on what a model is given.
    """

    splits: dict[str, Split]
    class_names: tuple[str, ...]
    class_counts: NDArray[np.int64]
    facts: dict[str, int]
    augmented: "Augmented | None" = None


@dataclass(frozen=True)
class Augmented:
    """The train split as augmentations are to have it, and what makes a model's inputs (B, ...) of a batch of it."""

    train: Split
    features: Callable[[Any], Any]


def prepare(data_config: Mapping[str, Any], shelf: Shelf | None = None) -> PreparedData:
    """Load, split, check, and normalize by what the train split alone shows.

    The latest data sets stay in memory, keyed by all of the section but `augment` and by the files' dates.
    With a `shelf`, data that takes long is made once for all processes that see it. Raises DataError.
    """
    settings = {name: value for name, value in data_config.items() if name != "augment"}
    stamps = file_stamps(settings["source"])
    # Sorted, as in a fingerprint: what is shared out must not depend on the order in which keys were written.
    return _prepare(json.dumps(settings, sort_keys=True), stamps, shelf)


@lru_cache(maxsize=MAX_CACHED)
def _prepare(settings_json: str, stamps: tuple[Any, ...], shelf: Shelf | None) -> PreparedData:
    settings = json.loads(settings_json)
    if shelf is None:
        return _make(settings)
    return unpacked(*take(shelf, stamps, lambda: packed(_make(settings))))


def packed(data: PreparedData) -> Content:
    """As arrays, and what else there is to know of them."""
    arrays: dict[str, NDArray[Any]] = {"class_counts": data.class_counts}
    # By number: a split may have a name that no file can have.
    for index, split in enumerate(data.splits.values()):
        arrays |= {f"inputs_{index}": split.inputs, f"targets_{index}": split.targets}
    return arrays, {"splits": list(data.splits), "class_names": data.class_names, "facts": data.facts}


def unpacked(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> PreparedData:
    """The reverse of `packed`."""
    splits = {
        name: Split(arrays[f"inputs_{index}"], arrays[f"targets_{index}"]) for index, name in enumerate(about["splits"])
    }
    return PreparedData(splits, tuple(about["class_names"]), arrays["class_counts"], dict(about["facts"]))


def _make(settings: Mapping[str, Any]) -> PreparedData:
    samples = load_samples(settings["source"])
    num_classes = len(samples.class_names)
    if num_classes < 2:
        message = f"all {len(samples.targets)} samples are of one class, {samples.class_names[0]}"
        raise DataError("single-class", message, "there is nothing to tell apart; check the labels")
    options = settings["splits"]
    fractions = {name: value for name, value in options.items() if name not in ("stratify", "seed")}
    indices = split_indices(samples.targets, fractions, stratify=options["stratify"], seed=options["seed"])
    check_disjoint(indices)
    _check_not_empty(indices, fractions, len(samples.targets))
    class_counts = np.bincount(samples.targets[indices["train"]], minlength=num_classes).astype(np.int64)
    _check_classes_in_train(class_counts, samples.class_names)
    order = sorted(indices, key=lambda name: (name != "train", name == TEST, name))
    normalized = _normalized(settings["normalize"], {name: samples.inputs[indices[name]] for name in order})
    splits = {
        name: Split(
            laid_out(inputs, settings.get("layout", "source")),
            np.ascontiguousarray(samples.targets[indices[name]], dtype=np.int64),
        )
        for name, inputs in normalized.items()
    }
    facts = facts_of(splits["train"].inputs.shape[1:], num_classes)
    return PreparedData(splits, tuple(samples.class_names), class_counts, facts)


def _normalized(setting: Mapping[str, Any], inputs: Mapping[str, Inputs]) -> dict[str, Inputs]:
    """Every split's inputs as the normalizer, fitted on train, returns them."""

    def run() -> dict[str, Inputs]:
        normalize = build("normalizers", setting)
        normalize.fit(inputs["train"])
        return {name: np.ascontiguousarray(normalize(x), dtype=np.float32) for name, x in inputs.items()}

    if not is_own(setting["kind"]):
        return run()
    hint = "a normalizer has fit(x_train) and, called with x, returns as many samples, finite"
    try:
        normalized = run()
    except Exception as error:
        raise DataError("normalizer-failed", f"{setting['kind']}: {told(error)}", hint, "data.normalize") from error
    for name, x in normalized.items():
        if x.ndim < 2 or len(x) != len(inputs[name]) or not np.isfinite(x).all():
            what = f"turned {name}, {inputs[name].shape}, into {x.shape}"
            what += "" if np.isfinite(x).all() else " with NaN or infinity in it"
            raise DataError("normalizer-failed", f"{setting['kind']} {what}", hint, "data.normalize")
    return normalized


def missing_classes(data: PreparedData) -> dict[str, tuple[str, ...]]:
    """Split to the names of the classes that it has no sample of; splits that have all are left out."""
    missing = {
        split: tuple(np.array(data.class_names)[np.bincount(part.targets, minlength=len(data.class_names)) == 0])
        for split, part in data.splits.items()
    }
    return {split: tuple(map(str, names)) for split, names in missing.items() if names}


def infer_facts(
    component: Mapping[str, Any], facts: Mapping[str, int], place: str = "model", *, reserved: Sequence[str] = ()
) -> dict[str, Any]:
    """A component's arguments with each `infer` replaced by the data's own number, those `reserved` left out.

    A number is held to the data; in a component of the user's own `num_classes` alone, since the other names may mean
    something else there. Raises DataError `data-mismatch` where a number contradicts the data, or where the data has no
    such number.
    """
    filled = {name: value for name, value in component.items() if name not in reserved}
    for name, value in list(filled.items()):
        if value == "infer" and name in DATA_FACTS:
            filled[name] = _fact(name, facts, place)
        elif name in facts and value != facts[name] and (name == "num_classes" or not is_own(component["kind"])):
            raise DataError(
                "data-mismatch",
                f"{place}.{name} is {value}, but the data has {facts[name]}",
                f"write {name}: infer, or {name}: {facts[name]}",
                f"{place}.{name}",
            )
    return filled


def _fact(name: str, facts: Mapping[str, int], place: str) -> int:
    if name in facts:
        return facts[name]
    raise DataError(
        "data-mismatch",
        f"{place}.{name} is to be inferred, but the data has no {name}; it has {_listed(facts)}",
        f"give {place}.{name} a number",
        f"{place}.{name}",
    )


def facts_of(shape: tuple[int, ...], num_classes: int) -> dict[str, int]:
    """Of samples of a shape. Lines are rows; the channels of an image stand side by side in a line."""
    facts = {"num_classes": num_classes, "num_features": int(np.prod(shape))}
    if len(shape) >= 2:
        facts["num_lines"] = shape[-2]
        facts["line_length"] = shape[-1] * int(np.prod(shape[:-2]))
    return facts


def _check_not_empty(
    indices: Mapping[str, NDArray[np.int64]], fractions: Mapping[str, float], num_samples: int
) -> None:
    for name, chosen in indices.items():
        if len(chosen) == 0:
            raise DataError(
                "empty-split",
                f"split {name} is empty: {fractions[name]:g} of {num_samples} samples is less than one",
                f"raise data.splits.{name}, or add samples",
                f"data.splits.{name}",
            )


def _check_classes_in_train(class_counts: NDArray[np.int64], class_names: tuple[str, ...]) -> None:
    missing = [name for name, count in zip(class_names, class_counts, strict=True) if count == 0]
    if missing:
        raise DataError(
            "class-missing-from-train",
            f"the train split has no sample of {len(missing)} of {len(class_names)} classes: {', '.join(missing[:5])}",
            "use stratify: true, a larger train fraction, or leave the class out of the data",
            "data.splits",
        )


def file_stamps(source: Mapping[str, Any]) -> tuple[Any, ...]:
    """Size and date of every file that the source names, so that changed files are read again."""
    paths = [Path(value) for value in source.values() if isinstance(value, str) and Path(value).is_absolute()]
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    stats = [(file, file.stat()) for file in files if file.exists()]
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)


def _listed(facts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in facts.items())
