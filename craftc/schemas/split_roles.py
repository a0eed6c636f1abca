"""What a split is for, by what a spec says of it or by its name."""

import re
from collections.abc import Mapping
from typing import Any, Literal

Role = Literal["fit", "select", "calibrate", "final"]
"""What may read a split: `fit` the steps, and whatever is fitted to data; `select` whatever chooses (epochs, stopping,
pruning, search, a rate that waits for a plateau); `calibrate` what is fitted to a trained model; `final` the
conclusion, once."""
FIT = "train"
"""The split that is fitted on: there is one, and this is its name."""
HELD_OUT = "test"
"""The name that a split which is measured at the end has where a spec does not give it one."""
ROLE_OF_NAME: Mapping[str, Role] = {
    FIT: "fit",
    "valid": "select",
    "val": "select",
    "validation": "select",
    "dev": "select",
    HELD_OUT: "final",
}
SETTINGS = frozenset(
    {
        "stratify", "seed", "group", "order", "column", "file", "folders", "from_source", "folds", "fold",
        "train_share", "allow_duplicates",
    }
)  # fmt: skip
"""The keys of `data.splits` that are no splits."""
USUAL = (FIT, "valid", HELD_OUT)
"""The splits of a spec that names none, where something else than fractions says which samples they have."""
_HELD_OUT_WORDS = frozenset(
    {
        "test", "tests", "testing", "tst", "holdout", "heldout", "unseen", "final", "calib", "calibrate", "calibration",
    }
)  # fmt: skip


def role_of(name: str, value: Any) -> Role:
    """The role of a split: what its value says, or what its name means; any other name is that of one that selects."""
    said = value.get("for") if isinstance(value, Mapping) else None
    return said or ROLE_OF_NAME.get(name, "select")


def is_unclear(name: str) -> bool:
    """Whether a name reads like that of a split that chooses nothing, without being one: `val_test`, `test2`."""
    return name not in ROLE_OF_NAME and not _HELD_OUT_WORDS.isdisjoint(re.split(r"[^a-z]+", name.lower()))


def setting(splits: Mapping[str, Any], key: str) -> Any:
    """What a key of `data.splits` is set to; None where it is switched off, or is not there."""
    value = splits.get(key)
    return None if value in ("none", False) and type(value) is not int else value


def split_names(splits: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the splits of a section `data.splits`, train first, then as they are written."""
    named = {name: value for name, value in splits.items() if name not in SETTINGS and value is not None}
    names = dict.fromkeys((FIT, *(setting(splits, "folders") or ()), *named))
    if setting(splits, "folds"):
        names |= {held_out_by_folds(splits): None}
    if len(names) == 1 and any(setting(splits, way) for way in ("column", "file", "from_source")):
        return USUAL
    return tuple(names)


def held_out_by_folds(splits: Mapping[str, Any]) -> str:
    """The split that each fold is once: the one of role `final` that has no share, or else `test`."""
    for name, value in splits.items():
        is_split = name not in SETTINGS and isinstance(value, Mapping)
        if is_split and value.get("share") is None and role_of(name, value) == "final":
            return name
    return HELD_OUT


def roles(splits: Mapping[str, Any]) -> dict[str, Role]:
    """Split to its role, in the order of `split_names`."""
    return {name: role_of(name, splits.get(name)) for name in split_names(splits)}


def by_reading(splits: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the splits in the order in which they are prepared: train first, what is final last."""
    given = roles(splits)
    return tuple(sorted(given, key=lambda name: (given[name] != "fit", given[name] == "final", name)))


def share_of(value: Any) -> float | None:
    """The fraction of a split, where it has one."""
    if isinstance(value, Mapping):
        value = value.get("share")
    return None if value is None else float(value)
