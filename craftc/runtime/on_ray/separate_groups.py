"""Remembers the placement groups that Ray Train asked for itself, and removes those whose job's process died.

Such a group outlives the process that waits for its workers. Ray's own cleaner asks the State API, which it does not
find where several Rays run on a machine, and a job that is begun again would wait for ever for what the group holds.
"""

from collections.abc import Iterable
from pathlib import Path

import ray
from ray.util.placement_group import PlacementGroup, get_current_placement_group, remove_placement_group

from craftc.training.foundation.atomic_file import write_atomically

FOLDER = "groups"
"""In the folder that Ray Train's files are in."""


def note_group(scratch: Path, trial: str) -> None:
    """In a worker: write down the group that it is in, under the first trial that it trains."""
    group = get_current_placement_group()
    assert isinstance(group, PlacementGroup), "a worker of Ray Train is in a placement group"
    (scratch / FOLDER).mkdir(parents=True, exist_ok=True)
    write_atomically(scratch / FOLDER / trial, group.id.hex().encode())


def remove_groups(scratch: Path, trials: Iterable[str]) -> None:
    """In the driver: remove what workers of a job that is gone were in. One that is removed already stays so."""
    for trial in trials:
        file = scratch / FOLDER / trial
        if file.is_file():
            remove_placement_group(PlacementGroup(ray.PlacementGroupID.from_hex(file.read_text())))
            file.unlink()
