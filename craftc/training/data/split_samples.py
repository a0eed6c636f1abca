"""Divides what a source gives into the samples of each split, by `data.splits`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.labels import crowded
from craftc.compiler.data_files.split_sizes import share_of as too_small_a_share
from craftc.compiler.data_files.split_sizes import split_sizes
from craftc.components.errors import DataError, DataWarning, raised
from craftc.components.sources.samples import Samples
from craftc.components.sources.tokens import Tokens
from craftc.schemas.split_roles import FIT, by_reading, role_of, setting, share_of
from craftc.schemas.splits import GIVEN_BY
from craftc.training.data.assign_splits import ID_COLUMN, Assignment, assign_splits
from craftc.training.data.duplicates import check_copies, sample_digests
from craftc.training.data.split_file import noted_digests, split_document

UNKNOWN = "<unknown>"
"""The name of the token that stands for all rare ones."""


@dataclass(frozen=True)
class SplitSamples:
    """Split to its samples, train first and what is final last: `inputs` (N, *shape), `targets` (N,) or (N, T), class
    of each sample or of each of its tokens. `class_counts` (C,) are those of train, none of them zero. `columns` and
    `warnings` are those of the source. `document` is what was drawn, as JSON; None of text."""

    inputs: dict[str, NDArray[Any]]
    targets: dict[str, NDArray[np.int64]]
    class_names: tuple[str, ...]
    class_counts: NDArray[np.int64]
    columns: tuple[str, ...] = ()
    warnings: tuple[DataWarning, ...] = ()
    document: dict[str, Any] | None = None


def split_samples(loaded: Samples | Tokens, options: Mapping[str, Any]) -> SplitSamples:
    """By the section `data.splits`, its defaults written in.

    Raises DataError `single-class`, `empty-split`, and of samples `class-missing-from-train`, of tokens
    `unknown-token`.
    """
    if isinstance(loaded, Tokens):
        return _share_tokens(loaded, options)
    if len(loaded.class_names) < 2:
        message = f"all {len(loaded.targets)} samples are of one class, {loaded.class_names[0]}"
        raise DataError("single-class", message, "there is nothing to tell apart; check the labels")
    num_classes = len(np.unique(loaded.targets))
    if mistake := crowded(num_classes, len(loaded.targets), "the targets are"):
        raised([mistake])
    assigned = assign_splits(loaded.targets, loaded.by_sample, options)
    indices = assigned.indices
    _check_not_empty(assigned, options, len(loaded.targets))
    class_counts = np.bincount(loaded.targets[indices[FIT]], minlength=len(loaded.class_names)).astype(np.int64)
    _check_classes_in_train(class_counts, loaded.class_names)
    ids = loaded.by_sample.get(ID_COLUMN)
    digests = sample_digests(loaded.inputs)
    about = {"method": assigned.method, **_about(options)}
    document = split_document(indices, loaded.targets, loaded.class_names, digests, ids, about)
    warnings = check_copies(digests, loaded.inputs, indices, ids, allowed=options.get("allow_duplicates", False))
    warnings += _left_out(assigned) + _of_other_data(document, options)
    return SplitSamples(
        {name: loaded.inputs[chosen] for name, chosen in indices.items()},
        {name: np.ascontiguousarray(loaded.targets[chosen], dtype=np.int64) for name, chosen in indices.items()},
        tuple(loaded.class_names),
        class_counts,
        loaded.columns,
        loaded.warnings + warnings,
        document,
    )


def _about(options: Mapping[str, Any]) -> dict[str, Any]:
    """How the samples were told apart, for who reads what was drawn."""
    said = {key: setting(options, key) for key in ("group", "order", "column", "folds", "fold")}
    roles = {name: role_of(name, options.get(name)) for name in by_reading(options)}
    kept = {key: value for key, value in said.items() if value is not None}
    return {"seed": options["seed"], "stratify": options["stratify"], **kept, "roles": roles}


def _left_out(assigned: Assignment) -> tuple[DataWarning, ...]:
    if not assigned.num_left_out:
        return ()
    are = "sample is" if assigned.num_left_out == 1 else "samples are"
    message = f"{assigned.num_left_out:,} {are} in no split"
    return (DataWarning("samples-left-out", message, "", f"data.splits.{assigned.method}"),)


def _of_other_data(document: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[DataWarning, ...]:
    """Where the file that gives the splits was written of other inputs."""
    path = setting(options, "file")
    noted = {} if path is None else noted_digests(path)
    splits = document["splits"]
    changed = [n for n, sha in noted.items() if n in splits and splits[n]["sha256_of_inputs"] != sha]
    if not changed or options.get("train_share", 1.0) < 1:
        return ()
    message = f"the samples of {', '.join(changed)} have other inputs than those that {Path(path).name} was written of"
    hint = "their numbers or ids are the same; check that they mean the same samples"
    return (DataWarning("split-of-other-data", message, hint, "data.splits.file"),)


def _share_tokens(tokens: Tokens, options: Mapping[str, Any]) -> SplitSamples:
    """Stretches of the text, one after the other: two splits that took turns would show each other's neighbours.

    Each stretch is cut into windows that share no target. The targets of a window are its tokens' successors.
    """
    for key in (*GIVEN_BY, "group", "order", "folds"):
        if setting(options, key):
            message = (
                f"data.splits.{key} is said of samples, and the source gives a text, whose splits are stretches of it"
            )
            raise DataError("split-unusable", message, "give fractions", f"data.splits.{key}")
    length = tokens.context_length
    fractions = {name: float(share) for name in by_reading(options) if (share := share_of(options.get(name)))}
    stretches = _stretches(tokens, fractions)
    if (share := options.get("train_share", 1.0)) < 1:
        stretches[FIT] = stretches[FIT][: round(share * len(stretches[FIT]))]
    used = {name: _whole_windows(name, stretch, length) for name, stretch in stretches.items()}
    counts = np.bincount(used[FIT], minlength=len(tokens.names))
    kept = np.flatnonzero(counts >= tokens.min_count)
    has_unknown = counts[counts < tokens.min_count].sum() > 0
    if not has_unknown:
        _check_known(used, counts, tokens)
    numbers = np.full(len(tokens.names), len(kept), dtype=np.int64)
    numbers[kept] = np.arange(len(kept))
    names = (*(tokens.names[number] for number in kept), *([UNKNOWN] if has_unknown else []))
    if len(names) < 2:
        message = f"all {len(used[FIT])} tokens of train are {names[0]!r}"
        raise DataError("single-class", message, "there is nothing to predict; take another text or a lower min_count")
    rows = {name: numbers[stretch] for name, stretch in used.items()}
    return SplitSamples(
        {name: row[:-1].reshape(-1, length) for name, row in rows.items()},
        {name: row[1:].reshape(-1, length) for name, row in rows.items()},
        names,
        np.bincount(rows[FIT], minlength=len(names)).astype(np.int64),
    )


def _stretches(tokens: Tokens, fractions: Mapping[str, float]) -> dict[str, NDArray[np.int64]]:
    ends = np.round(np.cumsum(list(fractions.values())) * len(tokens.numbers)).astype(int)
    return dict(zip(fractions, np.split(tokens.numbers, ends[:-1]), strict=True))


def _whole_windows(name: str, stretch: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """The tokens of all windows that fit, and the successor of the last."""
    num_windows = (len(stretch) - 1) // length
    if num_windows < 1:
        raise DataError(
            "empty-split",
            f"split {name} is empty: it has {len(stretch)} tokens of the text, and a window takes {length + 1}",
            f"raise data.splits.{name}, lower data.source.context_length, or take a longer text",
            f"data.splits.{name}",
        )
    return stretch[: num_windows * length + 1]


def _check_known(used: Mapping[str, NDArray[np.int64]], counts: NDArray[np.int64], tokens: Tokens) -> None:
    """Raise where a split has a token that train has not, and train has no rare ones that could stand for it."""
    for name, stretch in used.items():
        new = np.unique(stretch[counts[stretch] == 0])
        if len(new):
            rarest = int(np.where(counts > 0, counts, counts.max()).argmin())
            shown = ", ".join(repr(tokens.names[number]) for number in new[:5])
            more = f" and {len(new) - 5} more" if len(new) > 5 else ""
            raise DataError(
                "unknown-token",
                f"split {name} has tokens that train does not have: {shown}{more}",
                f"with min_count: {counts[rarest] + 1} in data.source, rare ones of train, such as "
                f"{tokens.names[rarest]!r}, and these become one token, unknown; or clean the text",
            )


def _check_not_empty(assigned: Assignment, options: Mapping[str, Any], num_samples: int) -> None:
    fractions = {name: share for name in assigned.indices if (share := share_of(options.get(name))) is not None}
    for name, chosen in assigned.indices.items():
        if len(chosen):
            continue
        if name not in fractions:
            message = f"split {name} is empty: {assigned.method} gives it none of {num_samples:,} samples"
            raise DataError("empty-split", message, "add samples", f"data.splits.{assigned.method}")
        message, hint = (
            too_small_a_share(name, fractions[name], num_samples),
            f"raise data.splits.{name}, or add samples",
        )
        if assigned.method == "fractions" and options["stratify"] and split_sizes(num_samples, fractions)[name] > 0:
            message += ", but stratify shares out each class by itself, and train needs one of each first"
            hint = "add samples to the small classes, leave those out, or write stratify: false"
        raise DataError("empty-split", message, hint, f"data.splits.{name}")


def _check_classes_in_train(class_counts: NDArray[np.int64], class_names: tuple[str, ...]) -> None:
    missing = [name for name, count in zip(class_names, class_counts, strict=True) if count == 0]
    if missing:
        raise DataError(
            "class-missing-from-train",
            f"the train split has no sample of {len(missing)} of {len(class_names)} classes: {', '.join(missing[:5])}",
            "use stratify: true, a larger train fraction, or leave the classes out of the data",
            "data.splits",
        )
