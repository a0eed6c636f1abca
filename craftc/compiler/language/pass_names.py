"""Lists the passes and after-stages of a spec, or of a trial's configuration, and the names of what they record.

A pass records `<split>/<pass>.<metric>`, an after-stage `<split>/<stage>.<metric>`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from craftc.schemas.catalogue import short_name
from craftc.schemas.spec import Pass, Spec


def passes_of(spec: Spec) -> dict[str, Pass]:
    """The passes that are not switched off, by name."""
    return {name: each for name, each in spec.evaluation.passes.items() if each is not None}


def stages_of(spec: Spec) -> list[str]:
    """The names of the after-stages, in order."""
    return [short_name(stage.kind) for stage in spec.evaluation.after]


def steering_names(config: Mapping[str, Any]) -> list[str]:
    """The metrics `<split>/<metric>` by which a trial's configuration chooses something."""
    training = config["training"]
    places = (config["evaluation"]["select"], training["early_stopping"], *training["schedule"])
    return [place["metric"] for place in places if isinstance(place, Mapping) and isinstance(place.get("metric"), str)]


def pass_of(name: str, passes: Iterable[str]) -> str | None:
    """Which of the passes, or after-stages, records a metric `<split>/<metric>`; None where it is a plain one."""
    measure = name.partition("/")[2]
    return next((each for each in passes if measure.startswith(f"{each}.")), None)


def plain_measure(name: str, passes: Iterable[str]) -> str:
    """A metric `<split>/<metric>` without its split and its pass."""
    of = pass_of(name, passes)
    measure = name.partition("/")[2]
    return measure if of is None else measure.removeprefix(f"{of}.")
