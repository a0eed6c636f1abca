"""What a spec writes to take modules out of a model -> one form of it, and one that trials have."""

import json
from typing import Any

from craftc.schemas.catalogue import REMOVE
from craftc.schemas.diagnostic import Path

PLACE: Path = ("model", REMOVE)
INFER = "infer"


def is_removal(target: Path) -> bool:
    """Whether a path leads to `model.remove` or to one of its entries."""
    return target[:2] == PLACE and len(target) <= 3


def as_removals(target: Path, value: Any) -> Any:
    """A value of `model.remove`, or of one of its entries, with each pattern alone as a mapping."""
    if target == PLACE:
        return {name: _as_entry(item) for name, item in value.items()} if isinstance(value, dict) else value
    return _as_entry(value)


def _as_entry(value: Any) -> Any:
    is_pattern = (isinstance(value, str) and value != "none") or isinstance(value, list)
    return {"modules": value} if is_pattern else value


def set_by_feature(feature: str, path: str) -> str:
    """The path that a feature of an ablation sets: of `remove` the entry of `model.remove` by the feature's name."""
    return f"model.{REMOVE}.{feature.replace('.', '_')}" if path == REMOVE else path


def patterns_of(entry: Any) -> list[Any]:
    """The patterns of an entry that is written out."""
    modules = entry.get("modules") if isinstance(entry, dict) else None
    if isinstance(modules, list | tuple):
        return list(modules)
    return [] if modules is None else [modules]


def plain_removals(written: Any) -> list[dict[str, Any]]:
    """What is removed, without names and order, which decide nothing: `modules`, and `by` where it is not inferred.
    What is in that form already stays as it is."""
    entries = written.values() if isinstance(written, dict) else written
    plain = []
    for entry in entries:
        if isinstance(entry, dict):
            said = {} if entry.get("by", INFER) == INFER else {"by": entry["by"]}
            plain.append({"modules": sorted(set(patterns_of(entry))), **said})
    return sorted({json.dumps(each, sort_keys=True): each for each in plain}.values(), key=json.dumps)
