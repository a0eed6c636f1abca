"""Writes what was drawn into the splits of a run as JSON, in a form that another spec can name."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from craftc.schemas.plan import Plan, Trial
from craftc.training.data.prepare import prepare
from craftc.training.data.prepared_files import shelf_of
from craftc.training.foundation.atomic_file import write_atomically

DRAWN = "splits.json"


def write_drawn_splits(plan: Plan, run_folder: Path, prepared: Path | None = None) -> list[Path]:
    """Write `splits.json`, of the first variant, and `splits_2.json` and so on for variants and folds that differ.

    Only trials that are new have their data loaded; of text nothing is drawn. Returns the files.
    """
    found: dict[str, dict[str, Any]] = {}
    for trial, document in _documents(plan, prepared):
        text = json.dumps(document, sort_keys=True)
        entry = found.setdefault(text, {"variants": [], **document})
        entry["variants"] += [name for name in (trial.variant, *trial.aliases) if name not in entry["variants"]]
    files = []
    for number, document in enumerate(found.values(), start=1):
        path = run_folder / (DRAWN if number == 1 else f"splits_{number}.json")
        write_atomically(path, _lines(document).encode())
        files.append(path)
    return files


def _documents(plan: Plan, prepared: Path | None) -> Iterator[tuple[Trial, Mapping[str, Any]]]:
    """What each new trial's data is drawn into; trials of one source and splits are asked once."""
    known: dict[str, Mapping[str, Any] | None] = {}
    for trial in plan.trials:
        if trial.status != "new" or trial.is_program:
            continue
        data = trial.config["data"]
        key = json.dumps([data["source"], data["splits"]], sort_keys=True)
        if key not in known:
            known[key] = prepare(data, shelf_of(trial, prepared)).document
        if (document := known[key]) is not None:
            yield trial, document


def _lines(document: Mapping[str, Any]) -> str:
    """JSON with each list of samples in one line."""
    splits = {name: dict(split) for name, split in document["splits"].items()}
    lists = {name: split.pop("indices", None) or split.pop("ids", None) for name, split in splits.items()}
    keys = {name: "indices" if "indices" in document["splits"][name] else "ids" for name in splits}
    for name, split in splits.items():
        split[keys[name]] = f"@{name}@"
    text = json.dumps({**document, "splits": splits}, indent=2, ensure_ascii=False)
    for name, samples in lists.items():
        text = text.replace(json.dumps(f"@{name}@", ensure_ascii=False), json.dumps(samples, ensure_ascii=False))
    return text + "\n"
