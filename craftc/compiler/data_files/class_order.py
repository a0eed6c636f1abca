"""The order of classes, the same for every source and in every process: it decides the number of each class."""

import re
from collections.abc import Iterable

_WHOLE = re.compile(r"([+-]?[0-9]{1,4000})(\.0*)?")
"""ASCII digits, no more of them than int() takes; `10.0` is a whole number, as pandas writes it beside empty cells."""


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names: by value and then as text where all are whole numbers, else as text, by code point.

    `1` and `01` are two names of one value, so that the value alone would leave their order to chance.
    """
    distinct = set(names)
    if all(_WHOLE.fullmatch(name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name.partition(".")[0]), name)))
    return tuple(sorted(distinct))
