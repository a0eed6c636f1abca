"""Settings to names that a table has room for: as few parts of a path, and as few characters of a value, as will do."""

import json
from collections.abc import Sequence
from typing import Any

MAX_VALUE = 40
"""Characters of one value in a name."""


def short_names(paths: set[str]) -> dict[str, str]:
    """Each path by as few of its last parts as tell it from the others: `model.num_layers` to `num_layers`."""
    names: dict[str, str] = {}
    for path in paths:
        parts = path.split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[-count:])
            others = [other for other in paths if other != path and (f".{other}").endswith(f".{name}")]
            if not others and not parts[-count].isdigit():
                break
        names[path] = name
    return names


def value_names(values: Sequence[Any]) -> list[str]:
    """The values of one axis: a component by its kind, and by its arguments where another one is of that kind."""
    kinds = [_kind(value) for value in values]
    return [
        _cut(_with_arguments(value) if kind is not None and kinds.count(kind) > 1 else _name(value))
        for value, kind in zip(values, kinds, strict=True)
    ]


def number_name(value: float) -> str:
    """`0.05`, `1e-3`: whichever is shorter, as digits where both are; exactly the number."""
    digits, mantissa_and_exponent = f"{value:g}", f"{value:e}"
    mantissa, _, exponent = mantissa_and_exponent.partition("e")
    power = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    fitting = [text for text in (digits, power, repr(value)) if float(text) == value]
    return min(fitting, key=len).replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def _kind(value: Any) -> str | None:
    if isinstance(value, dict) and isinstance(value.get("kind"), str):
        return str(value["kind"])
    return None


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number_name(value)
    return _kind(value) or json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _with_arguments(value: dict[str, Any]) -> str:
    arguments = ",".join(f"{name}={_name(given)}" for name, given in value.items() if name != "kind")
    return f"{value['kind']}({arguments})" if arguments else str(value["kind"])


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 3]}..."
