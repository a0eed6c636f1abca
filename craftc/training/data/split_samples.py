"""Divides what a source gives into the samples of each split, by `data.splits`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.labels import crowded
from craftc.compiler.data_files.split_sizes import share_of as too_small_a_share
from craftc.compiler.data_files.split_sizes import split_sizes
from craftc.components.errors import DataError, DataWarning, added_to, raise_all, raised
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.samples import Samples, beside
from craftc.components.sources.table import Table
from craftc.components.sources.tokens import Tokens
from craftc.components.tokenizers.vocabulary import Vocabulary
from craftc.schemas.split_roles import FIT, by_reading, role_of, setting, share_of
from craftc.schemas.splits import GIVEN_BY
from craftc.training.data.assign_splits import ID_COLUMN, Assignment, assign_splits
from craftc.training.data.columns_of_tables import cut_texts, encoded_columns, raw_columns
from craftc.training.data.drop_columns import PLACE, dropped
from craftc.training.data.duplicates import check_copies, sample_digests
from craftc.training.data.encode_table import encode_table
from craftc.training.data.split import Split
from craftc.training.data.split_file import noted_digests, split_document
from craftc.training.data.split_text import CHAR, split_text


@dataclass(frozen=True)
class SplitSamples:
    """Samples by split, train first and what is final last, inputs as their source gives them. `class_counts` (C,) are
    those of the target in train, none of them zero but of text; of a target that is no class, none. `warnings` are
    those of the source. `document` is what was drawn, as JSON; None of text, which alone has a `vocabulary`."""

    splits: dict[str, Split]
    class_counts: NDArray[np.int64]
    warnings: tuple[DataWarning, ...] = ()
    document: dict[str, Any] | None = None
    vocabulary: Vocabulary | None = None


def split_samples(
    loaded: Samples | Columns | Tokens | Table,
    options: Mapping[str, Any],
    target: str | None = None,
    drop: Sequence[str] = (),
    tokenizer: Mapping[str, Any] = CHAR,
) -> SplitSamples:
    """By the section `data.splits`, its defaults written in. `target` names the one column that is to be predicted,
    where the source does not say it, or says several; an input that is named so stays an input. Inputs that `drop`
    names are left out at the end: which samples there are, and where, does not depend on them.

    Raises DataError with all that is wrong: `single-class`, `empty-split`, and of samples `class-missing-from-train`,
    `split-unusable` and `split-leak`, of tokens `unknown-token`.
    """
    if isinstance(loaded, Tokens):
        if drop:
            raise DataError("data-mismatch", "data.drop leaves out columns, and a text has none", "remove it", PLACE)
        splits, class_counts, vocabulary = split_text(loaded, options, tokenizer)
        splits = {name: Split(aimed(split.columns, target)) for name, split in splits.items()}
        return SplitSamples(splits, class_counts, vocabulary=vocabulary)
    columns = aimed(raw_columns(loaded), target)
    whole = Split(columns)
    classes = whole.targets if whole.target_column is not None and is_one_class(whole.target_column) else None
    errors: list[DataError] = []
    if classes is not None:
        with added_to(errors):
            _check_classes(classes, class_names(columns[whole.target or ""]))
    else:
        # There are no classes whose frequencies could be kept.
        options = {**options, "stratify": False}
    by_sample = beside(loaded)
    strata = np.zeros(len(whole), dtype=np.int64) if classes is None else classes
    assigned = None
    with added_to(errors):
        assigned = assign_splits(strata, by_sample, options)
    if assigned is None:
        raise_all(errors)
    assert assigned is not None
    errors += [*assigned.errors, *_empty_splits(assigned, options, len(whole))]
    has_train = len(assigned.indices[FIT]) > 0
    cut: tuple[DataWarning, ...] = ()
    if isinstance(loaded, Table) and has_train:
        with added_to(errors):
            encoded = encode_table(loaded, assigned.indices[FIT])
            columns = {**columns, **encoded_columns(encoded)}
            cut = cut_texts(encoded, loaded.max_tokens)
    splits = {name: _taken(columns, chosen) for name, chosen in assigned.indices.items()}
    found = splits[FIT].target_column
    class_counts = counts_in(_counting(splits[FIT]))
    # A token that is rare may be missing from train; a class that is would never be learned.
    is_learned = found is not None and len(class_counts) and found.kind != "token"
    if found is not None and is_learned and has_train and "split-unusable" not in {error.code for error in errors}:
        with added_to(errors):
            _check_classes_in_train(class_counts, class_names(found))
    ids = by_sample.get(ID_COLUMN)
    # Whole texts, not what is kept of them.
    inputs = [whole.columns[n] if columns[n].kind == "token" else columns[n] for n in whole.named("input")]
    digests = sample_digests([column.values for column in inputs])
    is_table = all(column.kind in ("real", "class") and column.values.ndim <= 2 for column in inputs)
    rows = [column.values for column in inputs] if is_table else []
    allowed = options.get("allow_duplicates", False)
    warnings = loaded.warnings
    with added_to(errors):
        warnings += check_copies(digests, whole.inputs, assigned.indices, ids, allowed=allowed, rows=rows)
    raise_all(errors)
    about = {"method": assigned.method, **_about(options)}
    if drop:
        splits = {
            name: Split(dropped(split.columns, drop, loaded, tuple(by_sample), target))
            for name, split in splits.items()
        }
    names = class_names(columns[whole.target or ""]) if classes is not None else ()
    document = split_document(assigned.indices, strata, names, digests, ids, about)
    warnings += cut + _left_out(assigned) + _of_other_data(document, options)
    return SplitSamples(splits, class_counts, warnings, document)


def aimed(columns: Mapping[str, Column], target: str | None) -> Mapping[str, Column]:
    """Columns of which no other than `target` is a target. Raises DataError where there is no such column."""
    if target is None:
        return columns
    if target not in columns:
        message = f"data.target is {target}, and the source has no such column"
        raise DataError("data-mismatch", message, f"it has {', '.join(columns)}", "data.target")
    kept = {name: column for name, column in columns.items() if column.role != "target" or name == target}
    column = columns[target]
    return kept if column.role in ("input", "target") else kept | {target: replace(column, role="target")}


def is_one_class(column: Column) -> bool:
    """Whether each sample is of one class."""
    return column.kind == "class" and column.values.ndim == 1


def class_names(column: Column) -> tuple[str, ...]:
    """Of classes, labels or tokens, in the order of their numbers; of anything else, none."""
    if column.kind not in ("class", "classes", "token"):
        return ()
    return column.names or tuple(map(str, range(column.num_classes)))


def counts_in(column: Column | None) -> NDArray[np.int64]:
    """How often each class is in a column, or each label; of anything else, none."""
    if column is not None and column.kind == "classes":
        counts: NDArray[np.int64] = column.values.astype(np.int64).sum(axis=0)
        return counts
    if column is None or column.kind not in ("class", "token") or column.is_several:
        return np.zeros(0, dtype=np.int64)
    return np.bincount(column.values.reshape(-1), minlength=column.num_classes).astype(np.int64)


def _check_classes(classes: NDArray[np.int64], names: tuple[str, ...]) -> None:
    if len(names) < 2:
        message = f"all {len(classes)} samples are of one class, {names[0]}"
        raise DataError("single-class", message, "there is nothing to tell apart; check the labels")
    if mistake := crowded(len(np.unique(classes)), len(classes), "the targets are"):
        raised([mistake])


def _taken(columns: Mapping[str, Column], indices: NDArray[np.int64]) -> Split:
    return Split(
        {name: column.with_values(np.ascontiguousarray(column.values[indices])) for name, column in columns.items()}
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


def _counting(train: Split) -> Column | None:
    """The target, of tokens those that count."""
    found, mask = train.target_column, train.target_mask
    if found is None or found.kind != "token" or mask is None or train.columns[mask].shape != found.shape:
        return found
    return found.with_values(found.values[train.columns[mask].values])


def _empty_splits(assigned: Assignment, options: Mapping[str, Any], num_samples: int) -> Iterator[DataError]:
    """Of splits that are drawn; what gives them says by itself which it has no sample of."""
    if assigned.method in GIVEN_BY:
        return
    fractions = {name: share for name in assigned.indices if (share := share_of(options.get(name))) is not None}
    for name in (name for name, chosen in assigned.indices.items() if not len(chosen)):
        if name not in fractions:
            message = f"split {name} is empty: {assigned.method} gives it none of {num_samples:,} samples"
            yield DataError("empty-split", message, "add samples", f"data.splits.{assigned.method}")
            continue
        message, hint = (
            too_small_a_share(name, fractions[name], num_samples),
            f"raise data.splits.{name}, or add samples",
        )
        if assigned.method == "fractions" and options["stratify"] and split_sizes(num_samples, fractions)[name] > 0:
            message += ", but stratify shares out each class by itself, and train needs one of each first"
            hint = "add samples to the small classes, leave those out, or write stratify: false"
        yield DataError("empty-split", message, hint, f"data.splits.{name}")


def _check_classes_in_train(class_counts: NDArray[np.int64], class_names: tuple[str, ...]) -> None:
    missing = [name for name, count in zip(class_names, class_counts, strict=True) if count == 0]
    if missing:
        raise DataError(
            "class-missing-from-train",
            f"the train split has no sample of {len(missing)} of {len(class_names)} classes: {', '.join(missing[:5])}",
            "use stratify: true, a larger train fraction, or leave the classes out of the data",
            "data.splits",
        )
