"""What a module declares so that trainings with other numbers in it can be one batch.

Its buffers hold what a step computes with, and are stacked. Beside them it may keep the same numbers in attributes, for
a text or for the way alone; those it names, and a batch leaves them aside.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import nn


@runtime_checkable
class PerTrial(Protocol):
    """A module of a model, or an objective; a user's own as well as those of craftc."""

    per_trial_attributes: ClassVar[tuple[str, ...]]
    """Attributes that may differ between the trainings of a batch."""

    def stand_for(self, others: Sequence[Any]) -> None:
        """Set those attributes so that a step does what any of these modules, one of each training, does: a rate of 0
        leaves out what another needs."""
        ...


def per_trial_attributes(module: nn.Module) -> tuple[str, ...]:
    """The attributes of a module that may differ between trainings; none where it declares none."""
    return module.per_trial_attributes if isinstance(module, PerTrial) else ()
