"""Divides what a source gives into the samples of each split, by `data.splits`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.labels import crowded
from craftc.compiler.data_files.split_sizes import share_of, split_sizes
from craftc.components.errors import DataError, DataWarning, raised
from craftc.components.sources.samples import Samples
from craftc.components.sources.tokens import Tokens
from craftc.components.splits import check_disjoint, split_indices

TEST = "test"
"""The one split that is looked at only when training is over."""
UNKNOWN = "<unknown>"
"""The name of the token that stands for all rare ones."""


@dataclass(frozen=True)
class SplitSamples:
    """Split to its samples, train first and test last: `inputs` (N, *shape), `targets` (N,) or (N, T), the class of
    each sample or of each of its tokens. `class_counts` (C,) are those of train, none of them zero. `columns` and
    `warnings` are those of the source."""

    inputs: dict[str, NDArray[Any]]
    targets: dict[str, NDArray[np.int64]]
    class_names: tuple[str, ...]
    class_counts: NDArray[np.int64]
    columns: tuple[str, ...] = ()
    warnings: tuple[DataWarning, ...] = ()


def split_samples(loaded: Samples | Tokens, options: Mapping[str, Any]) -> SplitSamples:
    """By the section `data.splits`, its defaults written in.

    Raises DataError `single-class`, `empty-split`, and of samples `class-missing-from-train`, of tokens
    `unknown-token`.
    """
    fractions = {name: value for name, value in options.items() if name not in ("stratify", "seed")}
    in_order = {name: fractions[name] for name in sorted(fractions, key=lambda n: (n != "train", n == TEST, n))}
    if isinstance(loaded, Tokens):
        return _share_tokens(loaded, in_order)
    if len(loaded.class_names) < 2:
        message = f"all {len(loaded.targets)} samples are of one class, {loaded.class_names[0]}"
        raise DataError("single-class", message, "there is nothing to tell apart; check the labels")
    num_classes = len(np.unique(loaded.targets))
    if mistake := crowded(num_classes, len(loaded.targets), "the targets are"):
        raised([mistake])
    indices = split_indices(loaded.targets, fractions, stratify=options["stratify"], seed=options["seed"])
    check_disjoint(indices)
    _check_not_empty(indices, fractions, len(loaded.targets), stratify=options["stratify"])
    class_counts = np.bincount(loaded.targets[indices["train"]], minlength=len(loaded.class_names)).astype(np.int64)
    _check_classes_in_train(class_counts, loaded.class_names)
    return SplitSamples(
        {name: loaded.inputs[indices[name]] for name in in_order},
        {name: np.ascontiguousarray(loaded.targets[indices[name]], dtype=np.int64) for name in in_order},
        tuple(loaded.class_names),
        class_counts,
        loaded.columns,
        loaded.warnings,
    )


def _share_tokens(tokens: Tokens, fractions: Mapping[str, float]) -> SplitSamples:
    """Stretches of the text, one after the other: two splits that took turns would show each other's neighbours.

    Each stretch is cut into windows that share no target. The targets of a window are its tokens' successors.
    """
    length = tokens.context_length
    used = {name: _whole_windows(name, stretch, length) for name, stretch in _stretches(tokens, fractions).items()}
    counts = np.bincount(used["train"], minlength=len(tokens.names))
    kept = np.flatnonzero(counts >= tokens.min_count)
    has_unknown = counts[counts < tokens.min_count].sum() > 0
    if not has_unknown:
        _check_known(used, counts, tokens)
    numbers = np.full(len(tokens.names), len(kept), dtype=np.int64)
    numbers[kept] = np.arange(len(kept))
    names = (*(tokens.names[number] for number in kept), *([UNKNOWN] if has_unknown else []))
    if len(names) < 2:
        message = f"all {len(used['train'])} tokens of train are {names[0]!r}"
        raise DataError("single-class", message, "there is nothing to predict; take another text or a lower min_count")
    rows = {name: numbers[stretch] for name, stretch in used.items()}
    return SplitSamples(
        {name: row[:-1].reshape(-1, length) for name, row in rows.items()},
        {name: row[1:].reshape(-1, length) for name, row in rows.items()},
        names,
        np.bincount(rows["train"], minlength=len(names)).astype(np.int64),
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


def _check_not_empty(
    indices: Mapping[str, NDArray[np.int64]], fractions: Mapping[str, float], num_samples: int, *, stratify: bool
) -> None:
    for name, chosen in indices.items():
        if len(chosen):
            continue
        message, hint = share_of(name, fractions[name], num_samples), f"raise data.splits.{name}, or add samples"
        if stratify and split_sizes(num_samples, fractions)[name] > 0:
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
