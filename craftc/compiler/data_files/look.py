"""Looks at the files of the built-in sources, as far as that needs no numpy."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from craftc.compiler.data_files.seen import HEAD_BYTES, NOTHING, Seen, single_class
from craftc.schemas.spec import Data

KINDS = ("csv", "arrays", "image_folder", "text_file", "hf_dataset")
_WITH_TARGET = ("csv", "hf_dataset")


def look_at_data(data: Data, folder: str, most_bytes: int = HEAD_BYTES) -> Seen:
    """What can be seen of the files of a `data` section, the columns and folders of its splits with them."""
    splits = data.splits
    columns = [name for name in (splits.group, splits.order, splits.column) if name is not None]
    aside: dict[str, Any] = {"split_columns": columns} if columns else {}
    aside |= {"split_folders": splits.folders} if splits.folders else {}
    return look({"kind": data.source.kind, **data.source.args, **aside}, folder, most_bytes)


def look(source: Mapping[str, Any], folder: str, most_bytes: int = HEAD_BYTES) -> Seen:
    """What can be seen of the files that a source names; relative paths start from `folder`. Nothing where they are
    not there: a spec may be linted elsewhere than where it runs."""
    written = source.get("path")
    if source.get("kind") not in KINDS or not isinstance(written, str) or not written:
        return NOTHING
    if source["kind"] in _WITH_TARGET and not isinstance(source.get("target"), str):
        return NOTHING  # another rule reports a target that is missing or no text
    path = Path(os.path.abspath(os.path.join(folder, written)))
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return NOTHING
    if not S_ISREG(stat.st_mode) and not S_ISDIR(stat.st_mode):
        return NOTHING  # a device or a pipe might never end
    key = json.dumps(source, sort_keys=True, default=str)
    seen = _recall(path, written, (stat.st_size, stat.st_mtime_ns, stat.st_ino), key, most_bytes)
    single = None if any(problem.severity == "error" for problem in seen.problems) else single_class(seen)
    return seen if single is None else replace(seen, problems=(*seen.problems, single))


@lru_cache(maxsize=64)
def _recall(path: Path, shown: str, stamp: tuple[int, ...], source_json: str, most_bytes: int) -> Seen:
    """Every variant asks for the same, as long as the file stays as its `stamp` says."""
    source = json.loads(source_json)
    # Each where it is asked for: a spec without a table need not wait for what reads one.
    if source["kind"] == "csv":
        from craftc.compiler.data_files.csv_file import look_at_csv

        return look_at_csv(path, shown, source, most_bytes)
    if source["kind"] == "arrays":
        from craftc.compiler.data_files.npz_file import look_at_arrays

        return look_at_arrays(path, shown, source, most_bytes)
    if source["kind"] == "hf_dataset":
        from craftc.compiler.data_files.hf_folder import look_at_hf_folder

        return look_at_hf_folder(path, shown, source)
    if source["kind"] == "text_file":
        from craftc.compiler.data_files.text_file import look_at_text

        return look_at_text(path, shown, most_bytes)
    from craftc.compiler.data_files.image_files import look_at_images

    return look_at_images(path, shown, most_bytes, source.get("split_folders"))
