"""A range of the plan in; how Optuna stores it and its values out. Imports nothing of Optuna."""

import json
from collections.abc import Mapping
from typing import Any

EXACT = 1e-8
"""How near a value is to a step of a range that it belongs to, as a part of the step."""


class Dimension:
    """What a parameter of a study may be: a form of the plan such as `{"log_uniform": [1e-5, 1e-2]}`."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        (self._kind, values), step = next((k, v) for k, v in form.items() if k != "step"), form.get("step")
        self._choices: dict[str, Any] | None = None
        if self._kind in ("uniform", "log_uniform", "int", "log_int"):
            self._low: float = values[0]
            self._high: float = values[1]
            self._step: float | None = step if self._kind == "uniform" else int(step or 1)
        else:
            self._choices = {label_of(value): value for value in values}
            self._places = {label: place for place, label in enumerate(self._choices)}
        self.json = json.dumps(self._described())
        """As Optuna stores it."""

    def _described(self) -> dict[str, Any]:
        if self._choices is not None:
            return {"name": "CategoricalDistribution", "attributes": {"choices": list(self._choices)}}
        is_int = self._kind in ("int", "log_int")
        is_log = self._kind in ("log_uniform", "log_int")
        step = self._step if is_int or not is_log else None
        bounds = {"log": is_log, "step": step, "low": self._low, "high": self._high}
        return {"name": "IntDistribution" if is_int else "FloatDistribution", "attributes": bounds}

    def label(self, value: Any) -> Any:
        """What stands for the value in the study; None where the range does not hold it."""
        if self._choices is not None:
            own = label_of(value)
            if own in self._choices and _same(self._choices[own], value):
                return own
            return next((label for label, choice in self._choices.items() if _same(choice, value)), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if self._low <= value <= self._high and self._is_on_step(value) else None

    def _is_on_step(self, value: float) -> bool:
        if self._kind == "log_uniform" or self._step is None:
            return True
        steps = (value - self._low) / self._step
        return abs(steps - round(steps)) < EXACT

    def value(self, label: Any) -> Any:
        """What the label stands for."""
        return label if self._choices is None else self._choices[label]

    def stored(self, label: Any) -> float:
        """The label as the number that Optuna stores: of a choice, its place."""
        return float(label if self._choices is None else self._places[label])


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def label_of(value: Any) -> str:
    """A choice as text: Optuna stores text, and takes 1, 1.0 and true for the same."""
    return value if isinstance(value, str) else json.dumps(value)
