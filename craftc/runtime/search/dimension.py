"""A range of the plan: which values it holds, and what stands for each of them in an Optuna study."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from craftc.schemas.choice import choice_label

EXACT = 1e-8
"""How near a value is to a step of a range that it belongs to, as a part of the step."""


class Dimension:
    """What a parameter of a study may be: a form of the plan such as `{"log_uniform": [1e-5, 1e-2]}`.

    It has either `choices`, by what stands for each, or the inclusive bounds `low` and `high`. A `step` of None: any
    value between them.
    """

    def __init__(self, form: Mapping[str, Any]) -> None:
        (kind, values), step = next((k, v) for k, v in form.items() if k != "step"), form.get("step")
        self.choices: dict[Any, Any] | None = None
        self.is_int = kind in ("int", "log_int")
        self.is_log = kind in ("log_uniform", "log_int")
        if self.is_int or kind in ("uniform", "log_uniform"):
            self.low: float = values[0]
            self.high: float = values[1]
            self.step: float | None = int(step or 1) if self.is_int else step if kind == "uniform" else None
        else:
            self.choices = _labelled(values)

    def label(self, value: Any) -> Any:
        """What stands for the value in the study; None where the range does not hold it."""
        if self.choices is not None:
            alike = [label for label, choice in self.choices.items() if _same(choice, value)]
            exact = [label for label in alike if type(self.choices[label]) is type(value)]
            return next(iter([*exact, *alike]), None)
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
        return self.on_step(label) if self.choices is None else self.choices[label]

    def on_step(self, value: Any) -> Any:
        """A value of a range as the decimal that its step means: 0.9 from steps of 0.3, where floats add up to
        0.8999999999999999."""
        if self.choices is not None or self.is_int or self.step is None:
            return value
        low, step = (Decimal(repr(float(number))) for number in (self.low, self.step))
        return float(low + round((Decimal(repr(float(value))) - low) / step) * step)


def _labelled(values: Sequence[Any]) -> dict[Any, Any]:
    """The choices by what stands for them: themselves, where Optuna can tell them apart, or else their texts.

    Optuna stores numbers and texts, and takes 1, 1.0 and true for the same.
    """
    are_plain = all(isinstance(value, bool | int | float | str) for value in values)
    if are_plain and all(value == value for value in values) and len(set(values)) == len(values):
        return {value: value for value in values}
    return {choice_label(value): value for value in values}


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
