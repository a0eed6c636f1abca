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


def calibrating(splits: Mapping[str, Samples], trial: Trial) -> dict[str, Samples]:
    """The splits for calibrate that a stage after training is fitted on. They are read when training is over."""
    wanted = {stage["fit"] for stage in trial.config["evaluation"].get("after", ())}
    return {name: splits[name] for name in splits if name in wanted and of_role(name, trial) == "calibrate"}


def judging(splits: Iterable[str], trial: Trial) -> list[str]:
    """The splits that passes and stages after training are measured on, once training is over."""
    return [name for name in splits if of_role(name, trial) in ("select", "final")]


def selecting(splits: Iterable[str], trial: Trial) -> list[str]:
    """The splits that something is chosen by."""
    return [name for name in splits if of_role(name, trial) == "select"]


def measured(splits: Mapping[str, Samples], trial: Trial) -> dict[str, Samples]:
    """The splits that are measured while or after training, which need a place on the device from the beginning."""
    return {name: split for name, split in splits.items() if of_role(name, trial) != "calibrate"}
