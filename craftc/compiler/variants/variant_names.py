"""Settings to names that a table has room for: as few parts of a path, and as few characters of a value, as will do."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from craftc.compiler.reading.parse import MAX_DEPTH
from craftc.schemas.choice import choice_label

MAX_VALUE = 40
"""Characters of one value in a name."""


def short_names(paths: set[str]) -> dict[str, str]:
    """Each path by as few of its last parts as tell it from the others: `model.num_layers` to `num_layers`."""
    endings = Counter(ending for path in paths for ending in _endings(path))

    def is_telling(name: str) -> bool:
        return endings[name] == 1 and not name.partition(".")[0].isdigit()

    return {path: next(filter(is_telling, _endings(path)), path) for path in paths}


def _endings(path: str) -> Iterator[str]:
    """The last part, the last two and so on; of a path deeper than any spec only so many."""
    parts = path.split(".")[-MAX_DEPTH:]
    return (".".join(parts[-count:]) for count in range(1, len(parts) + 1))


def value_names(values: Sequence[Any], as_written: Any = None) -> list[str]:
    """The values of one axis: a component by its kind, and by its arguments where another one is of that kind, be it
    another value or what the spec has `as_written` in that place. The values 1, 1.0, "1" and true have four names."""
    values = [value["kind"] if isinstance(value, dict) and value.keys() == {"kind"} else value for value in values]
    kinds = [_kind(value) for value in values]
    counts = Counter([*kinds, _kind(as_written)])
    names = [
        _with_arguments(value) if kind is not None and counts[kind] > 1 else _name(value)
        for value, kind in zip(values, kinds, strict=True)
    ]
    repeated = Counter(names)
    return [
        _cut(choice_label(value) if repeated[name] > 1 else name) for value, name in zip(values, names, strict=True)
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
