"""Finds what the trials of a plan differ in: the values or range of each factor, and each trial's place in them.

Trackers name what they show by this, so that a sweep's parameters, a run's config and TensorBoard's hparams agree.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from craftc.compiler.reading.tree import look_up
from craftc.schemas.diagnostic import parse_path
from craftc.schemas.frozen import Frozen, List
from craftc.schemas.plan import Plan, Trial
from craftc.schemas.section import as_tree
from craftc.schemas.spec import Experiment

Scalar = bool | int | float | str

FEATURE = "feature."
"""A feature named `warmup` is the factor `feature.warmup`, true where it is on."""


class Choices(Frozen):
    """A factor with listed values, in the order in which they occur."""

    type: Literal["choices"] = "choices"
    values: List[Scalar]


class Interval(Frozen):
    """A factor drawn from a range, ends included; `log_*` are uniform in the logarithm, `int` and `log_int` whole."""

    type: Literal["interval"] = "interval"
    distribution: Literal["uniform", "log_uniform", "int", "log_int"]
    low: float
    high: float
    step: float | None = None


Axis = Annotated[Choices | Interval, Field(discriminator="type")]


class Factors(Frozen):
    """What varies. `axes` are by name: a path of the spec, `feature.<name>`, and `seed`.

    `features` hold the settings that switch each off, `written` what the spec says where no trial's config does;
    `in_full` are the paths whose components differ in more than their kind.
    """

    axes: dict[str, Axis]
    features: dict[str, dict[str, Any]] = Field(default_factory=dict)
    written: dict[str, Any] = Field(default_factory=dict)
    in_full: List[str] = ()

    def values_of(self, trial: Trial) -> dict[str, Scalar]:
        """The trial's value of every factor; a factor that its model, say, does not have is left out."""
        values: dict[str, Scalar] = {}
        for name in self.axes:
            if name == "seed":
                values[name] = trial.seed
            elif name.startswith(FEATURE) and name.removeprefix(FEATURE) in self.features:
                off = self.features[name.removeprefix(FEATURE)]
                values[name] = not all(path in trial.overrides and trial.overrides[path] == off[path] for path in off)
            elif (value := value_at(name, trial, self.written)) is not None:
                values[name] = as_scalar(value, in_full=name in self.in_full)
        return values


def factors_of(spec: Experiment, plan: Plan) -> Factors:
    """The factors of a plan: its features, every path that a variant sets to more than one value or that is searched,
    and the seed."""
    space = plan.search.space if plan.search else {}
    paths = dict.fromkeys([*(path for trial in plan.trials for path in trial.overrides), *space])
    tree = as_tree(spec)
    written = {path: value for path in paths if (value := _at(tree, path)) is not None}
    in_full = tuple(path for path in paths if _kinds_clash(value_at(path, trial, written) for trial in plan.trials))
    names = [*(f"{FEATURE}{name}" for name in spec.ablation.features), *paths, "seed"]
    draft = Factors(
        axes=dict.fromkeys(names, Choices(values=())),
        features=dict(spec.ablation.features),
        written=written,
        in_full=in_full,
    )
    placed = [draft.values_of(trial) for trial in plan.trials]
    occurring = {name: tuple({_key(at[name]): at[name] for at in placed if name in at}.values()) for name in names}
    # The seed stands even alone, so that no sweep is without a parameter.
    axes = {name: Choices(values=values) for name, values in occurring.items() if len(values) > 1 or name == "seed"}
    searched = {path: _axis(given, in_full=path in in_full) for path, given in space.items()}
    return draft.model_copy(
        update={"axes": {name: searched.get(name) or axes[name] for name in names if name in axes or name in searched}}
    )


def _axis(given: Mapping[str, Any], *, in_full: bool) -> Axis:
    """A range of the plan's search."""
    (form, values) = next(item for item in given.items() if item[0] != "step")
    if form == "choice":
        return Choices(values=tuple(as_scalar(value, in_full=in_full) for value in values))
    ends = {"low": values[0], "high": values[1], "step": given.get("step")}
    return Interval.model_validate({"distribution": form, **ends})


def value_at(path: str, trial: Trial, written: Mapping[str, Any]) -> Any:
    """What the trial has at a path of the spec; None where it has nothing there."""
    value = _at(trial.config, path)
    if value is not None:
        return value
    if path in trial.overrides:
        return trial.overrides[path]
    # Another component took the place of the one that has this argument.
    if any(path.startswith(f"{other}.") for other in trial.overrides):
        return None
    return written.get(path)


def as_scalar(value: Any, *, in_full: bool = False) -> Scalar:
    """A value as a plot's axis can show it: components by their kinds, or else as JSON."""
    if isinstance(value, bool | int | float | str):
        return value
    if not in_full:
        if isinstance(value, Mapping) and isinstance(value.get("kind"), str):
            return str(value["kind"])
        if isinstance(value, list) and all(isinstance(item, Mapping) and "kind" in item for item in value):
            return "+".join(str(item["kind"]) for item in value) or "none"
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _kinds_clash(values: Iterable[Any]) -> bool:
    """Whether two different values would look the same by their kinds."""
    full: dict[Scalar, str] = {}
    return any(full.setdefault(as_scalar(value), _key(value)) != _key(value) for value in values if value is not None)


def _key(value: Any) -> str:
    # As JSON, true and 1 differ.
    return json.dumps(value, sort_keys=True)


def _at(tree: Mapping[str, Any], path: str) -> Any:
    try:
        return look_up(dict(tree), parse_path(path))
    except KeyError:
        return None
