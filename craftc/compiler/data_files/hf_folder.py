"""The folder of an `hf_dataset` source, as far as its JSON shows it: its splits, and the columns of one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from craftc.compiler.data_files.csv_file import header_problems
from craftc.compiler.data_files.seen import NOTHING, Seen, mistaken

_OF_SPLITS, _OF_ONE = "dataset_dict.json", "dataset_info.json"


def look_at_hf_folder(path: Path, shown: str, arguments: Mapping[str, Any]) -> Seen:
    """What the description that `save_to_disk` wrote shows; nothing where there is none that can be read."""
    split = arguments.get("split", "train")
    splits = _json(path / _OF_SPLITS).get("splits")
    if isinstance(splits, list):
        if split not in splits:
            return mistaken(f'{shown} has no split "{split}"', f"it has {', '.join(map(str, splits))}", "split")
        path = path / str(split)
    features = _json(path / _OF_ONE).get("features")
    if not isinstance(features, Mapping) or not features:
        return NOTHING
    names, asked = list(features), arguments.get("input", "none")
    problems = header_problems(names, {"columns": "infer", **arguments}, shown)
    if asked != "none" and (asked not in names or asked == arguments["target"]):
        message = f'{shown} has no column "{asked}" beside the target'
        problems += mistaken(message, f"it has {', '.join(names)}", "input").problems
    return Seen(tuple(problems))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
