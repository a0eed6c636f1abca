"""The trackers that a spec names, made for a run: each in a thread of its own, and none able to end the run."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from craftc.components.build import build, load_component
from craftc.components.own_line import told
from craftc.runtime.observers.background_observer import InBackground
from craftc.runtime.observers.observer import Observer
from craftc.runtime.observers.tracked_run import TrackedRun
from craftc.schemas.spec import Component


def make_trackers(asked: Sequence[Component], run: TrackedRun) -> list[Observer]:
    """One observer for each; one that cannot be made is a warning. The user's own code must be importable."""
    made: list[Observer] = []
    for component in asked:
        try:
            tracker: Any = build("trackers", {"kind": component.kind, **component.args}, run)
        except Exception as error:
            # The boundary to code of a third party: whatever it raises, the run goes on.
            run.warn(f"there is no tracker {component.kind}: {told(error)}")
            continue
        made.append(InBackground(tracker, name=f"tracker {component.kind}", warn=run.warn))
    return made


def missing_package(kind: str) -> tuple[str, str] | None:
    """A package that a tracker says it `requires` and that is not installed, and what installs it; None without one."""
    requires: dict[str, str] = getattr(load_component("trackers", kind), "requires", {})
    return next((item for item in requires.items() if find_spec(item[0]) is None), None)
