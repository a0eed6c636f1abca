"""Rules of augmentations that mix each sample with another, and so its target."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Path

AUGMENT: Path = ("data", "augment")


def mixed_once(checked: Checked) -> Iterator[Problem]:
    """A sample has one partner."""
    mixing = list(_mixing(checked))
    for index, kind in mixing[1:]:
        path, (first, other) = (*AUGMENT, index, "kind"), mixing[0]
        message = f"{kind} mixes samples that {other} has mixed, and a sample has one partner"
        hint = "name one of them; mixup_or_cutmix does either to a sample"
        yield Problem("mixed-twice", path, message, hint, reads=(path, (*AUGMENT, first)))


def views_mixed(checked: Checked) -> Iterator[Problem]:
    """Views of a sample are compared, and have no target."""
    if checked.spec.data.views == 1:
        return
    for index, kind in _mixing(checked):
        path = (*AUGMENT, index, "kind")
        message = f"{kind} mixes targets, and views of a sample have none: data.views is {checked.spec.data.views}"
        hint = "leave it out, or use 1 view"
        yield Problem("unfit-for-views", path, message, hint, reads=(path, ("data", "views")))


def _mixing(checked: Checked) -> Iterator[tuple[int, str]]:
    """Their places and kinds."""
    for index, augmentation in enumerate(checked.spec.data.augment):
        entry = checked.catalogue.find("augmentations", augmentation.kind)
        if entry is not None and entry.mixes_targets:
            yield index, augmentation.kind


MIXING_RULES: tuple[Rule, ...] = (mixed_once, views_mixed)
"""What augmentations that mix samples are asked of."""
