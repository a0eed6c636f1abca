"""Prepares the `data` section: normalized splits and the facts of the data, with numpy alone, once per process."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.planning.identity.stage_fingerprints import augments_source
from craftc.components.errors import DataError, DataWarning, added_to, raise_all
from craftc.components.sources.columns import Column
from craftc.components.sources.load import Loaded, load_samples
from craftc.components.sources.samples import Asked
from craftc.components.sources.table import NUMBERS
from craftc.components.tokenizers.vocabulary import Vocabulary
from craftc.schemas.split_roles import setting
from craftc.training.data.assign_splits import asked_columns
from craftc.training.data.drop_columns import DROP
from craftc.training.data.facts import Facts, facts_of
from craftc.training.data.layout import laid_out
from craftc.training.data.normalize import NormalizeBatch, normalize_batch, normalized_splits
from craftc.training.data.one_input import (
    has_categories,
    joined,
    takes_categories,
    values_in,
)
from craftc.training.data.prepared_files import Content, Shelf, take
from craftc.training.data.resolution import lost_resolution
from craftc.training.data.split import Split
from craftc.training.data.split_samples import class_names, is_one_class, split_samples
from craftc.training.data.split_text import CHAR

MAX_CACHED = 4
"""Prepared data sets kept in memory; the variants of an ablation seldom differ in more than two."""


OWN_TARGET = "target"
"""What an input that is its own target is called as a target."""
OF_SOURCE = "source_"
"""Before the number of a split: its first input as the source gives it, among the prepared."""


@dataclass(frozen=True)
class PreparedData:
    """All splits, train first and what is final last.

    `class_counts` (C,) are those of the target in train, none of them zero but of text; of a target that is no class,
    none. `facts` is what `infer` can take. `augmented` is None where nothing is done to a batch before the model gets
    it, or only behind the normalization. `warnings` are for the user. `document` is what was drawn into the splits,
    `vocabulary` what the tokens of a text are.
    """

    splits: dict[str, Split]
    class_counts: NDArray[np.int64]
    facts: Facts
    augmented: "Augmented | None" = None
    warnings: tuple[DataWarning, ...] = ()
    document: Mapping[str, Any] | None = None
    vocabulary: Vocabulary | None = None

    @property
    def train(self) -> Split:
        """What steps take their batches of."""
        return self.splits["train"] if self.augmented is None else self.augmented.train

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the target, in the order of its numbers; none where it is no class."""
        target = self.splits["train"].target_column
        return () if target is None else class_names(target)


@dataclass(frozen=True)
class Augmented:
    """The train split as augmentations are to have it, and what is made of a batch of it then: `normalize` what a model
    is given, and `features` of that what the head of a frozen backbone is given; None where that is the same. Of data
    with several views of a sample, `measured` are all splits likewise, since their views are augmented too."""

    train: Split
    normalize: "NormalizeBatch | None" = None
    features: Callable[[Any], Any] | None = None
    measured: Mapping[str, Split] = field(default_factory=dict)


def prepare(
    data_config: Mapping[str, Any], shelf: Shelf | None = None, model: Mapping[str, Any] | None = None
) -> PreparedData:
    """Load, split, check, and normalize by what the train split alone shows.

    For a `model` of one input, the numbers and the categories of a table are joined.

    The latest data sets stay in memory, keyed by all of the section but `augment` and by the files' dates; whether the
    train split is kept as the source gives it, too, counts.
    With a `shelf`, data that takes long is made once for all processes that see it. Raises DataError.
    """
    settings = {name: value for name, value in data_config.items() if name != "augment"}
    stamps = file_stamps({**settings["source"], "data.splits.file": settings["splits"].get("file")})
    # Sorted, as in a fingerprint: what is shared out must not depend on the order in which keys were written.
    asked = json.dumps(settings, sort_keys=True), stamps, shelf, augments_source(data_config)
    data = _prepare(*asked)
    if model is None or not has_categories(data.splits["train"]) or takes_categories(model):
        return data
    return _one_input(*asked)


@lru_cache(maxsize=MAX_CACHED)
def _one_input(settings_json: str, stamps: tuple[Any, ...], shelf: Shelf | None, keeps_source: bool) -> PreparedData:
    data = _prepare(settings_json, stamps, shelf, keeps_source)
    train = data.splits["train"]
    in_train, augmented = values_in(train), data.augmented
    splits = {name: joined(split, in_train) for name, split in data.splits.items()}
    if augmented is not None and augmented.normalize is not None:
        num_numbers = train.columns[NUMBERS].values.shape[-1]
        augmented = Augmented(
            joined(augmented.train, in_train),
            replace(augmented.normalize, num_numbers=num_numbers),
            measured={name: joined(split, in_train) for name, split in augmented.measured.items()},
        )
    return replace(data, splits=splits, facts=facts_of(splits["train"]), augmented=augmented)


@lru_cache(maxsize=MAX_CACHED)
def _prepare(settings_json: str, stamps: tuple[Any, ...], shelf: Shelf | None, keeps_source: bool) -> PreparedData:
    settings = json.loads(settings_json)
    if shelf is None:
        data, source = _make(settings)
    else:
        arrays, about = take(shelf, stamps, lambda: _packed_with_source(*_make(settings), keeps_source=keeps_source))
        data = unpacked(arrays, about)
        numbered = ((name, f"{OF_SOURCE}{index}") for index, name in enumerate(data.splits))
        source = {name: arrays[key] for name, key in numbered if key in arrays}
    if not source or not keeps_source:
        return data
    before = {name: data.splits[name].with_values({data.splits[name].first: x}) for name, x in source.items()}
    normalize = normalize_batch(settings, source["train"])
    measured = before if has_views(settings) else {}
    return replace(data, augmented=Augmented(before["train"], normalize, measured=measured))


def has_views(data_config: Mapping[str, Any]) -> bool:
    """Whether a model is given several views of a sample."""
    return bool(data_config.get("views", 1) > 1)


def _packed_with_source(data: PreparedData, source: Mapping[str, NDArray[Any]], *, keeps_source: bool) -> Content:
    arrays, about = packed(data)
    kept = {f"{OF_SOURCE}{index}": source[name] for index, name in enumerate(data.splits) if name in source}
    return {**arrays, **(kept if keeps_source else {})}, about


def packed(data: PreparedData) -> Content:
    """As arrays, and what else there is to know of them."""
    arrays: dict[str, NDArray[Any]] = {"class_counts": data.class_counts}
    # By number: a split may have a name that no file can have.
    for index, split in enumerate(data.splits.values()):
        arrays |= {f"{name}_{index}": column.values for name, column in split.columns.items()}
    columns = {
        name: {"kind": column.kind, "role": column.role, "names": column.names, "sizes": column.sizes}
        # A split that is measured may have a column more.
        for split in data.splits.values()
        for name, column in split.columns.items()
    }
    about = {"splits": list(data.splits), "columns": columns, "facts": data.facts}
    warnings = [asdict(warning) for warning in data.warnings]
    vocabulary = None if data.vocabulary is None else data.vocabulary.as_json()
    return arrays, about | {"document": data.document, "vocabulary": vocabulary, "warnings": warnings}


def unpacked(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> PreparedData:
    """The reverse of `packed`."""
    columns = {
        name: (column["kind"], column["role"], tuple(column["names"]), tuple(column["sizes"]))
        for name, column in about["columns"].items()
    }
    splits = {
        split: Split(
            {n: Column(arrays[f"{n}_{index}"], *what) for n, what in columns.items() if f"{n}_{index}" in arrays}
        )
        for index, split in enumerate(about["splits"])
    }
    warnings = tuple(DataWarning(**warning) for warning in about["warnings"])
    facts, document = dict(about["facts"]), about.get("document")
    kept = about.get("vocabulary")
    vocabulary = None if kept is None else Vocabulary.from_json(kept)
    counts = arrays["class_counts"]
    return PreparedData(splits, counts, facts, warnings=warnings, document=document, vocabulary=vocabulary)


def _make(settings: Mapping[str, Any]) -> tuple[PreparedData, dict[str, NDArray[Any]]]:
    """The data, and the first input of train as its source gives it, of all splits where a sample has several views;
    nothing of tokens, which are left as they are."""
    layout, asked = settings.get("layout", "source"), settings.get("target", "none")
    asked = None if asked == "none" else asked
    tokenizer = settings.get("tokenizer", CHAR)
    shared = split_samples(_load(settings), settings["splits"], asked, settings.get(DROP, ()), tokenizer)
    train, warnings = shared.splits["train"], shared.warnings
    source: dict[str, NDArray[Any]] = {}
    quantities = [name for name in train.named("input") if train.columns[name].kind in ("real", "vectors")]
    if not quantities:
        raise_all(_computed_with(settings["normalize"], layout, train.columns[train.first].kind))
    found: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in shared.splits}
    errors: list[DataError] = []
    for name in quantities:
        raw = {split: samples.columns[name] for split, samples in shared.splits.items()}
        normalized = None
        with added_to(errors):
            normalized = normalized_splits(settings["normalize"], raw)
        if normalized is None:
            continue
        if raw["train"].values.dtype == np.float64:
            with added_to(errors):
                warnings += lost_resolution(raw["train"].values, normalized["train"], raw["train"].names)
        if name == train.first:
            normalized = {split: laid_out(x, layout) for split, x in normalized.items()}
            # An axis for channels is there for augmentations, too.
            kept = {split: x.values for split, x in raw.items() if split == "train" or has_views(settings)}
            source = {split: laid_out(x, layout) if layout == "channels" else x for split, x in kept.items()}
        for split, x in normalized.items():
            found[split][name] = x
    raise_all(errors)
    splits = {name: _with_target(split.with_values(found[name]), asked) for name, split in shared.splits.items()}
    facts, vocabulary = facts_of(splits["train"]), shared.vocabulary
    facts |= {} if vocabulary is None else {"num_characters": vocabulary.num_characters}
    data = PreparedData(splits, shared.class_counts, facts, warnings=warnings, document=shared.document)
    return replace(data, vocabulary=vocabulary), source


def _load(settings: Mapping[str, Any]) -> Loaded:
    splits = settings["splits"]
    asked = Asked(asked_columns(splits), setting(splits, "folders") or {})
    return load_samples(settings["source"], asked, gives_splits=bool(setting(splits, "from_source")))


def _with_target(split: Split, asked: str | None) -> Split:
    """With an input, as the model gets it unless augmentations change that, as the target."""
    if asked is None or split.columns[asked].role != "input":
        return split
    return Split({**split.columns, OWN_TARGET: replace(split.columns[asked], role="target")})


def _computed_with(normalize: Mapping[str, Any], layout: str, kind: str) -> Iterator[DataError]:
    """Where numbers that are names, as of tokens and categories, would be computed with."""
    what = "the data is text, whose tokens" if kind == "token" else "the inputs are categories, whose numbers"
    for place, value, none in (("normalize", normalize["kind"], "none"), ("layout", layout, "source")):
        if value != none:
            message = f"data.{place} is {value}, but {what} are no quantities"
            yield DataError("unfit-for-text", message, f"write {none}, or leave it out", f"data.{place}")


def missing_classes(data: PreparedData) -> dict[str, tuple[str, ...]]:
    """Split to the names of the classes that it has no sample of; splits that have all are left out.

    Of what is not one class for each sample, none: that a rare character is missing from some stretch of a text says
    nothing against it.
    """
    target = data.splits["train"].target_column
    if target is None or not is_one_class(target):
        return {}
    missing = {
        split: tuple(np.array(data.class_names)[np.bincount(part.targets, minlength=len(data.class_names)) == 0])
        for split, part in data.splits.items()
    }
    return {split: tuple(map(str, names)) for split, names in missing.items() if names}


def file_stamps(source: Mapping[str, Any]) -> tuple[Any, ...]:
    """Size and date of every file that the source names, so that changed files are read again."""
    paths = [Path(value) for value in source.values() if isinstance(value, str) and Path(value).is_absolute()]
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    stats = [(file, file.stat()) for file in files if file.exists()]
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats)
