"""Finds how far each trial is, and the state from which its training continues."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from craftc.training.assemble import Parts
from craftc.training.foundation.errors import TrainingError
from craftc.training.state.checkpoint import (
    last_path,
    lend_last,
    load_best,
    num_steps_in,
    progress_in,
    read_last,
    restore,
    save_best,
    settle_last,
)
from craftc.training.state.history import cut_history, read_history
from craftc.training.state.member import Member

log = logging.getLogger(__name__)

State = dict[str, Any]


@dataclass
class Start:
    """Members that have taken as many steps, and the state behind them, as read from the folder of `owner`; None before
    the first.

    The files of those `behind` are of an earlier state.
    """

    members: list[Member] = field(default_factory=list)
    state: State | None = None
    owner: Member | None = None
    behind: list[Member] = field(default_factory=list)


def find_starts(members: Sequence[Member], device: torch.device) -> list[Start]:
    """The members by how far they are, the furthest first; states are loaded onto `device`.

    A member goes on from the latest state that it is part of: a kill may have come when the state of an epoch was in
    the folder of one member and not yet in the others'.
    """
    faults: dict[str, str] = {}
    states = _read_states(members, device, faults)
    starts: dict[int, Start] = {}
    for member in members:
        own = states.get(member.trial.id)
        others = [found for found in states.values() if found is not own]
        # Its own first: of equals, max takes the first.
        usable = [found for found in [own, *others] if found and _is_usable(found[1], member, device, faults)]
        owner, state = max(usable, key=lambda found: num_steps_in(found[1]), default=(None, None))
        fault = _told(member, faults) if state is None else None
        progress = member.progress if state is None else progress_in(state, member.trial) or member.progress
        start = starts.setdefault(progress.step if state is None else num_steps_in(state), Start())
        if start.state is None:
            start.owner, start.state = owner, state
        start.members.append(replace(member, progress=progress, fault=fault))
        if state is not None and (own is None or state is not own[1]):
            start.behind.append(start.members[-1])
    return [starts[num_steps] for num_steps in sorted(starts, reverse=True)]


def go_on(start: Start, parts: Parts) -> None:
    """Put the state into the parts, and bring the members' files to it."""
    if start.state is not None:
        restore(start.state, parts)
    if not parts.workers.is_first:
        return
    for member in start.members:
        cut_history(member.folder, member.trial.id, member.progress.epoch)
    if start.state is None or start.owner is None:
        return
    for member in start.behind:
        lend_last(start.owner.folder, member.folder)
    for member in start.members:
        settle_last(member.folder)
    # Within a record, the best weights were written when the one before was.
    num_steps = num_steps_in(start.state)
    save_best([m for m in start.members if m.progress.is_best and m.progress.step == num_steps], parts)


def _read_states(
    members: Sequence[Member], device: torch.device, faults: dict[str, str]
) -> dict[str, tuple[Member, State]]:
    """What each member's own folder holds, and whose folder it was read from: a file of several names is read once.

    Adds to `faults` what is wrong with a member's checkpoint.
    """
    files: dict[tuple[int, int], tuple[Member, State]] = {}
    states: dict[str, tuple[Member, State]] = {}
    for member in members:
        member.folder.mkdir(parents=True, exist_ok=True)
        path = last_path(member.folder)
        if not path.exists():
            continue
        file = (path.stat().st_dev, path.stat().st_ino)
        try:
            if file not in files:
                files[file] = member, read_last(member.folder, member.trial, device)
            states[member.trial.id] = files[file]
        except TrainingError as error:
            faults[member.trial.id] = error.message
    return states


def _told(member: Member, faults: dict[str, str]) -> str | None:
    """Why a member of which there was something starts again, as a sentence for the user; it is logged as well."""
    history = read_history(member.folder, member.trial.id)
    why = faults.get(member.trial.id) or history.fault
    if why is None and len(history.records) > 1:
        # One record may be there before the first checkpoint is.
        why = f"{last_path(member.folder)} is missing"
    if why is None:
        return None
    # A damaged checkpoint is as good as none: training from the start always gives the right result.
    num = len(history.records)
    known = f", of {num} {member.trial.record_name}{'' if num == 1 else 's'} that it had" if num else ""
    sentence = f"it starts again from its first {member.trial.record_name}{known}: {why}"
    log.warning("trial %s: %s", member.trial.id[:12], sentence)
    return sentence


def _is_usable(state: State, member: Member, device: torch.device, faults: dict[str, str]) -> bool:
    """Whether the member can go on from the state: it is part of it, its records up to there are sound, and the best
    weights that it counts on are here.

    Those of a record that is both best and last are in the state at its end, whether or not best.pt was still written.
    """
    progress = progress_in(state, member.trial)
    if progress is None:
        return False
    history = read_history(member.folder, member.trial.id)
    if len(history.records) < progress.epoch:
        missing = f"has no line {len(history.records) + 1}"
        faults[member.trial.id] = f"{member.folder}/{history.fault or f'metrics.jsonl {missing}'}"
        return False
    is_at_end, selects = progress.step == num_steps_in(state), member.trial.config["evaluation"]["select"] != "none"
    if progress.epoch == 0 or (progress.is_best and (is_at_end or not selects)):
        return True
    try:
        load_best(member.folder, member.trial, device, epoch=progress.selected.epoch)
    except TrainingError as error:
        faults[member.trial.id] = error.message
        return False
    return True
