"""A range of the plan: which values it holds, and what stands for each of them in an Optuna study."""

import json
from collections.abc import Mapping
from typing import Any

EXACT = 1e-8
"""How near a value is to a step of a range that it belongs to, as a part of the step."""


class Dimension:
    """What a parameter of a study may be: a form of the plan such as `{"log_uniform": [1e-5, 1e-2]}`.

    It has either `choices`, by what stands for each, or the inclusive bounds `low` and `high`. A `step` of None: any
    value between them.
    """

    def __init__(self, form: Mapping[str, Any]) -> None:
        (kind, values), step = next((k, v) for k, v in form.items() if k != "step"), form.get("step")
        self.choices: dict[str, Any] | None = None
        self.is_int = kind in ("int", "log_int")
        self.is_log = kind in ("log_uniform", "log_int")
        if self.is_int or kind in ("uniform", "log_uniform"):
            self.low: float = values[0]
            self.high: float = values[1]
            self.step: float | None = int(step or 1) if self.is_int else step if kind == "uniform" else None
        else:
            self.choices = {label_of(value): value for value in values}

    def label(self, value: Any) -> Any:
        """What stands for the value in the study; None where the range does not hold it."""
        if self.choices is not None:
            own = label_of(value)
            if own in self.choices and _same(self.choices[own], value):
                return own
            return next((label for label, choice in self.choices.items() if _same(choice, value)), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if self.low <= value <= self.high and self._is_on_step(value) else None

    def _is_on_step(self, value: float) -> bool:
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < EXACT

    def value(self, label: Any) -> Any:
        """What the label stands for."""
        return label if self.choices is None else self.choices[label]


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def label_of(value: Any) -> str:
    """A choice as text: Optuna stores text, and takes 1, 1.0 and true for the same."""
    return value if isinstance(value, str) else json.dumps(value)
