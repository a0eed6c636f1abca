"""Counts which classes a classifier takes for which.

M: predictions of a batch, C: classes.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from craftc.components.artefacts.pictures import matrix_picture
from craftc.components.artefacts.trained import ArtefactError, Made, Trained

MOST_CLASSES = 200


class ConfusionMatrix:
    """How many samples of each class are predicted as which: a row for each true class, a column for each prediction.

    The picture has the shares of each row. At most 200 classes.
    """

    takes_targets = ("class", "token")

    def make(self, trained: Trained) -> Made:
        """Of all samples."""
        names = trained.class_names
        if len(names) > MOST_CLASSES:
            raise ArtefactError(f"there are {len(names):,} classes, and it shows {MOST_CLASSES} at most")
        counts = torch.zeros(len(names) ** 2, dtype=torch.int64)
        for logits_MC, targets_M in trained.predictions():
            places_M = targets_M * len(names) + logits_MC.argmax(-1)
            counts += torch.bincount(places_M, minlength=len(counts))
        counts_CC = counts.view(len(names), -1).numpy()
        shares_CC = counts_CC / np.maximum(counts_CC.sum(1, keepdims=True), 1)
        per_class = [_of_class(counts_CC, number, name) for number, name in enumerate(names)]
        return Made(
            {"classes": list(names), "counts": counts_CC.tolist(), "per_class": per_class},
            _table(per_class),
            matrix_picture(shares_CC, counts_CC, names, across="predicted", down="true"),
        )


def _of_class(counts_CC: NDArray[np.int64], number: int, name: str) -> dict[str, Any]:
    """`recall` and `precision` are None where there is nothing to divide by, `taken_for` where it is never mistaken."""
    row, column, hits = counts_CC[number], counts_CC[:, number], int(counts_CC[number, number])
    others = row.copy()
    others[number] = 0
    return {
        "class": name,
        "samples": int(row.sum()),
        "recall": hits / int(row.sum()) if row.any() else None,
        "precision": hits / int(column.sum()) if column.any() else None,
        "taken_for": int(others.argmax()) if others.any() else None,
        "times": int(others.max(initial=0)),
    }


def _table(per_class: list[dict[str, Any]]) -> str:
    # A class may be a line break.
    names = [repr(each["class"])[1:-1] for each in per_class]
    width = max(map(len, ("class", *names)))
    lines = [f"{'class':<{width}}  samples  recall  precision  most often taken for"]
    for name, each in zip(names, per_class, strict=True):
        recall, precision = (_share(each[measure]) for measure in ("recall", "precision"))
        taken = "-" if each["taken_for"] is None else f"{names[each['taken_for']]} ({each['times']})"
        lines.append(f"{name:<{width}}  {each['samples']:>7}  {recall:>6}  {precision:>9}  {taken}")
    return "\n".join(lines) + "\n"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"
