"""Completes the entry of a metric that is named as `torchmetrics:NAME`: what of it the data decides, and its direction.

Of a classifier's metrics torchmetrics has one class for each task, and by the short name one that chooses among them
by an argument `task`. Which it is depends on the target.
"""

from __future__ import annotations

from typing import Literal

from craftc.compiler.own_code.constructor import bases_of
from craftc.compiler.own_code.signature import Component, TargetError, find_component, mode_of
from craftc.schemas.catalogue import TORCHMETRICS, ComponentEntry, TargetKind

TASK = "task"
CHOOSES = "_ClassificationTaskWrapper"
"""What the classes derive from that choose by `task`; torchmetrics keeps it private, and without it nothing is
completed."""
TASKS = {"multiclass": "Multiclass", "binary": "Binary", "multilabel": "Multilabel"}
CLASSES: tuple[TargetKind, ...] = ("class", "classes", "token", "mask")
QUANTITIES: tuple[TargetKind, ...] = ("real", "vectors")


def with_inferred(entry: ComponentEntry, component: Component) -> ComponentEntry:
    """The entry of a metric; any other than `torchmetrics:NAME` as it is."""
    module, _, name = entry.kind.partition(":")
    if entry.group != "metrics" or module != TORCHMETRICS:
        return entry
    import griffe

    found = component.found
    chooses = isinstance(found, griffe.Class) and any(
        path.rpartition(".")[2] == CHOOSES for path, _ in bases_of(found, component.index)
    )
    if chooses:
        parameters = tuple(
            parameter._replace(
                type={"anyOf": [{"enum": list(TASKS)}, {"const": "infer"}]}, required=False, default="infer"
            )
            if parameter.name == TASK
            else parameter
            for parameter in entry.parameters
        )
        return entry._replace(parameters=parameters, mode=_mode(name, component), takes_targets=CLASSES)
    if ".regression." in found.path:
        return entry._replace(takes_targets=QUANTITIES)
    return entry


def _mode(name: str, component: Component) -> Literal["min", "max"] | None:
    """That of the first class of a task that says it."""
    for prefix in TASKS.values():
        try:
            of_task = find_component(f"{TORCHMETRICS}.classification:{prefix}{name}", component.index)
        except TargetError:
            continue
        if (mode := mode_of(of_task.found, component.index)) is not None:
            return mode
    return None
