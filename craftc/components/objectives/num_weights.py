"""Checks the number of class weights against the number of classes. Needs no torch."""

from collections.abc import Sequence

from craftc.components.errors import DataError


def check_num_weights(
    class_weights: str | Sequence[float], num_classes: int, place: str = "objective.class_weights"
) -> None:
    """Raise DataError `data-mismatch` where listed weights are not one for each class."""
    if not isinstance(class_weights, str) and len(class_weights) != num_classes:
        raise DataError(
            "data-mismatch",
            f"class_weights has {len(class_weights)} entries, but the data has {num_classes} classes",
            "give one weight per class, or balanced, or none",
            place,
        )
