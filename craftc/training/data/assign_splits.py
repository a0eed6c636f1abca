"""Assigns samples to splits by `data.splits`: by fractions, groups, an order or folds, or as they are given.

C: classes, N: samples, S: splits.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from craftc.components.errors import DataError, added_to
from craftc.components.group_splits import group_indices
from craftc.components.splits import Indices, check_disjoint, split_indices
from craftc.schemas.split_roles import (
    FIT,
    SETTINGS,
    by_reading,
    held_out_by_folds,
    role_of,
    setting,
    share_of,
    split_names,
)
from craftc.training.data.split_file import read_split_file

Columns = Mapping[str, NDArray[Any]]
SPLIT_COLUMN, ID_COLUMN = "split", "id"
"""Of a source that gives the splits itself; and of one whose samples have names, such as those of files."""


@dataclass(frozen=True)
class Assignment:
    """`indices`: split to its samples, ascending, train first and what is final last. `method` is the key that said so.
    `num_left_out` samples are in no split. `errors`: where what gives the splits cannot be right; `indices` are then
    what is left of it, so that it can be checked further."""

    indices: dict[str, Indices]
    method: str
    num_left_out: int = 0
    errors: tuple[DataError, ...] = ()


def asked_columns(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that a source is asked for beside inputs and targets."""
    named = [setting(options, key) for key in ("group", "order", "column")]
    return tuple(name for name in named if name is not None)


def assign_splits(targets: NDArray[np.int64], by_sample: Columns, options: Mapping[str, Any]) -> Assignment:
    """By the section `data.splits`, its defaults written in.

    Args:
        targets: Class of each sample, (N,), by which it is stratified.
        by_sample: Columns of the samples, (N,) each.
        options: The section.

    Among the errors of what it returns are samples of which a column or file says what cannot be, `split-unusable`,
    and a group on two sides of splits that are given, `split-leak`.

    Raises:
        DataError: A column or file by which samples are told apart is not there: `split-unusable`.
    """
    errors: list[DataError] = []
    given = _given(len(targets), by_sample, options, errors)
    group = setting(options, "group")
    if given is not None:
        method, found = given
        if group is not None:
            with added_to(errors):
                _check_groups(found, column(by_sample, group, "group"), group)
    elif setting(options, "folds"):
        method, found = "folds", _fold(targets, by_sample, options)
    elif (order := setting(options, "order")) is not None:
        method, found = "order", _in_order(column(by_sample, order, "order"), _fractions(options), options)
    else:
        method = "fractions" if group is None else "group"
        found = _drawn(targets, by_sample, _fractions(options), options)
    check_disjoint(found)
    in_order = {name: found[name] for name in by_reading(options)}
    num_left_out = len(targets) - sum(map(len, in_order.values()))
    if (share := options.get("train_share", 1.0)) < 1 and len(in_order[FIT]):
        in_order[FIT] = share_of_train(
            in_order[FIT], targets, share, stratify=options["stratify"], seed=options["seed"]
        )
    return Assignment(in_order, method, num_left_out, tuple(errors))


def column(by_sample: Columns, name: str, key: str) -> NDArray[Any]:
    """A column that `data.splits` names. Raises DataError `split-unusable`."""
    if name not in by_sample:
        there = f"it gives {', '.join(sorted(by_sample))}" if by_sample else "it gives no columns beside its samples"
        message = f'the source gives no column "{name}", which data.splits.{key} names'
        raise DataError("split-unusable", message, there, f"data.splits.{key}")
    return by_sample[name]


def share_of_train(indices: Indices, targets: NDArray[np.int64], share: float, *, stratify: bool, seed: int) -> Indices:
    """A share of samples, of each class alike and one at least; those of a smaller share are among them."""
    strata = targets[indices] if stratify else np.zeros(len(indices), dtype=np.int64)
    kept = []
    for label in np.unique(strata):
        # A stream of each class's own, which the share has no part in.
        random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, _SHARE_STREAM, int(label)])))
        members = random.permutation(indices[strata == label])
        kept.append(members[: max(1, round(share * len(members)))])
    return np.sort(np.concatenate(kept)).astype(np.int64)


_SHARE_STREAM = 3


def _fractions(options: Mapping[str, Any]) -> dict[str, float]:
    # In the order of the section: samples are drawn in that order.
    shares = {name: share_of(value) for name, value in options.items() if name not in SETTINGS}
    return {name: share for name, share in shares.items() if share is not None}


def _drawn(
    targets: NDArray[np.int64], by_sample: Columns, fractions: Mapping[str, float], options: Mapping[str, Any]
) -> dict[str, Indices]:
    stratify, seed = options["stratify"], options["seed"]
    if (group := setting(options, "group")) is None:
        return split_indices(targets, fractions, stratify=stratify, seed=seed)
    values = column(by_sample, group, "group")
    return group_indices(values, targets, fractions, stratify=stratify, seed=seed)


def _in_order(values: NDArray[Any], fractions: Mapping[str, float], options: Mapping[str, Any]) -> dict[str, Indices]:
    """Stretches of the samples in the order of a column: train the earliest, what is final the latest. Samples of one
    value are on one side."""
    keys = sortable(values)
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    rank = {"fit": 0, "calibrate": 1, "select": 1, "final": 2}
    # Sorted, not as written: what is shared out must not depend on the order in which keys were written.
    names = sorted(fractions, key=lambda name: (rank[role_of(name, options.get(name))], name))
    ends = np.round(np.cumsum([fractions[name] for name in names]) * len(values)).astype(int)[:-1]
    cuts = [_between_values(ranked, int(end)) for end in ends]
    pieces = np.split(order, cuts)
    return {name: np.sort(piece).astype(np.int64) for name, piece in zip(names, pieces, strict=True)}


def _between_values(ranked: NDArray[Any], end: int) -> int:
    """The nearest place to cut at, so that no value is on two sides."""
    if end >= len(ranked) or end == 0:
        return end
    low, high = (int(np.searchsorted(ranked, ranked[end], side=side)) for side in ("left", "right"))
    return low if end - low <= high - end else high


def sortable(values: NDArray[Any]) -> NDArray[Any]:
    """A column as numbers, where all of it is numbers; otherwise as text, where dates like 2026-11-30 are in order."""
    if values.dtype.kind in "biufM":
        return values
    texts = values.astype(str)
    try:
        return texts.astype(np.float64)
    except ValueError:
        return texts


def _fold(targets: NDArray[np.int64], by_sample: Columns, options: Mapping[str, Any]) -> dict[str, Indices]:
    """One of the folds is held out; the other splits share the rest."""
    num, fold = int(options["folds"]), setting(options, "fold")
    # As fractions of equal size, drawn by the same rules; every trial of the spec draws the same folds.
    folds = {f"{index:04}": 1 / num for index in range(num)}
    drawn = _drawn(targets, by_sample, folds, options)
    held_out = drawn[f"{int(fold or 0):04}"]
    rest = np.setdiff1d(np.arange(len(targets)), held_out)
    fractions = _fractions(options)
    fractions.setdefault(FIT, 1 - sum(fractions.values()))
    others = {name: values[rest] for name, values in by_sample.items()}
    inner = {FIT: np.arange(len(rest))} if len(fractions) == 1 else _drawn(targets[rest], others, fractions, options)
    return {**{name: rest[chosen] for name, chosen in inner.items()}, held_out_by_folds(options): held_out}


def _given(
    num: int, by_sample: Columns, options: Mapping[str, Any], errors: list[DataError]
) -> tuple[str, dict[str, Indices]] | None:
    """What says of each sample which split it is in, and what that is; None where nothing does."""
    if (name := setting(options, "column")) is not None:
        values = column(by_sample, name, "column").astype(str)
        return "column", _by_values(values, f'column "{name}"', options, "column", errors)
    for key in ("folders", "from_source"):
        if setting(options, key):
            values = column(by_sample, SPLIT_COLUMN, key).astype(str)
            return key, _by_values(values, "the source", options, key, errors)
    if (path := setting(options, "file")) is not None:
        said = read_split_file(path, num, by_sample.get(ID_COLUMN))
        errors += said.errors
        return "file", _by_values(said.values, path, options, "file", errors, said.named)
    return None


def _by_values(
    values: NDArray[Any],
    what: str,
    options: Mapping[str, Any],
    key: str,
    errors: list[DataError],
    named: Collection[str] = (),
) -> dict[str, Indices]:
    """Each split's samples by what they are called. What is called nothing is in no split.

    Of a split that is `named`, samples are missing for a reason that is among the errors already.
    """
    called = {str(_value(name, options)): name for name in split_names(options)}
    for unknown in sorted({*np.unique(values).tolist(), *named} - called.keys() - {""}):
        message = f'{what} has samples of "{unknown}", which is no split here'
        hint = f"the splits are {', '.join(called)}; add {unknown}: {{for: select}}, or another role"
        errors.append(DataError("split-unusable", message, hint, f"data.splits.{key}"))
    found = {name: np.flatnonzero(values == value).astype(np.int64) for value, name in called.items()}
    there = [name for value, name in called.items() if len(found[name]) or value in named]
    only = ", ".join(f"{other}: {{for: {role_of(other, options.get(other))}}}" for other in there)
    hint = f"it has {', '.join(there)}; name those that there are: {only}" if there else "check its values"
    for name in (name for name in found if name not in there):
        message = f"{what} has no sample of split {name}"
        errors.append(DataError("empty-split", message, hint, f"data.splits.{key}"))
    return found


def _value(name: str, options: Mapping[str, Any]) -> Any:
    part = options.get(name)
    value = part.get("value") if isinstance(part, Mapping) else None
    return name if value is None else value


def _check_groups(found: Mapping[str, Indices], values: NDArray[Any], name: str) -> None:
    """Raise where what belongs together is on two sides."""
    sides: dict[Any, str] = {}
    torn: list[tuple[Any, str, str]] = []
    for split, indices in found.items():
        for value in np.unique(values[indices]).tolist():
            if sides.setdefault(value, split) != split:
                torn.append((value, sides[value], split))
    if torn:
        raise DataError("split-leak", *_torn(torn, name), "data.splits.group")


def _torn(torn: Sequence[tuple[Any, str, str]], name: str) -> tuple[str, str]:
    shown = "; ".join(f"{value} in {one} and {other}" for value, one, other in torn[:3])
    are = "value of it is" if len(torn) == 1 else "values of it are"
    message = f'{len(torn)} {are} on two sides, though data.splits.group is "{name}": {shown}'
    return message, "mend what gives the splits, or draw them by fractions, which keeps groups together"
