"""A function of a variant to the same function, computed once for all variants that are alike in what it reads."""

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, Generic, TypeVar

from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.variants.parts import Assembled
from craftc.compiler.variants.watched import Reads

Value = TypeVar("Value")


class Recalled(Generic[Value]):
    """Calls a pure function of a variant, or recalls what it returned.

    What it read is noted when it runs (`watched.py`). Another variant that has the same parts in all clusters that can
    change those places would make it read the same, and return the same.
    """

    def __init__(self, function: Callable[[Checked], Value]) -> None:
        self._function = function
        self._constant: tuple[Value] | None = None
        self._known: dict[tuple[int, ...], tuple[Callable[[Any], Hashable], dict[Hashable, Value]]] = {}

    def __call__(self, variant: "Checked | Assembled") -> Value:
        """The function's value; of a variant that is not made of parts, computed."""
        if not isinstance(variant, Assembled):
            return self._function(variant)
        if self._constant is not None:
            return self._constant[0]
        for key_of, known in self._known.values():
            key = key_of(variant.numbers)
            if key in known:
                return known[key]
        reads: Reads = set()
        value = self._function(variant.watched(reads))
        clusters = variant.parts.dependents(reads)
        if clusters not in self._known:
            self._known[clusters] = (itemgetter(*clusters) if clusters else _nothing), {}
            if not clusters:  # it reads nothing that varies
                self._constant = (value,)
        key_of, known = self._known[clusters]
        known[key_of(variant.numbers)] = value
        return value

    def is_always(self, value: Value) -> bool:
        """Whether it is known to return this for every variant."""
        return self._constant == (value,)


def _nothing(numbers: tuple[int, ...]) -> Hashable:
    return None
