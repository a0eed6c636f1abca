"""Hands out splits by their role: what trains cannot come by a split that is final, nor anything by its name."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from craftc.schemas.plan import Trial
from craftc.schemas.split_roles import Role, role_of

Samples = TypeVar("Samples")


def of_role(name: str, trial: Trial) -> Role:
    """What a split of a trial is for."""
    return role_of(name, trial.config["data"]["splits"].get(name))


def watched(splits: Iterable[str], trial: Trial) -> list[str]:
    """The splits that are measured after each epoch, and so may choose."""
    return [name for name in splits if of_role(name, trial) in ("fit", "select")]


def final(splits: Iterable[str], trial: Trial) -> list[str]:
    """The splits that are measured once, when training is over."""
    return [name for name in splits if of_role(name, trial) == "final"]


def measured(splits: Mapping[str, Samples], trial: Trial) -> dict[str, Samples]:
    """The splits that are measured at some time, which need a place on the device."""
    return {name: split for name, split in splits.items() if of_role(name, trial) != "calibrate"}
