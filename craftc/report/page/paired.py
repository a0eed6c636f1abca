"""Pairs a variant's values with the baseline's, as its difference does: seed by seed, or fold by fold."""

from dataclasses import dataclass

from craftc.report.folds import by_fold
from craftc.schemas.conclusion import VariantSummary


@dataclass(frozen=True)
class Pair:
    """`label` is `seed 3`, or `fold 2`, whose values are means over its seeds."""

    label: str
    value: float
    reference: float

    @property
    def difference(self) -> float:
        """The variant's minus the baseline's."""
        return self.value - self.reference


def pairs(row: VariantSummary, baseline: VariantSummary) -> list[Pair]:
    """Of the seeds and folds that both have a value of."""
    values, references = (
        {(seed.fold, seed.seed): seed.value for seed in side.seeds if seed.value is not None}
        for side in (row, baseline)
    )
    places = [place for place in values if place in references]
    if all(fold is None for fold, _ in values):
        return [Pair(f"seed {place[1]}", values[place], references[place]) for place in places]
    means, others = (by_fold({place: side[place] for place in places}) for side in (values, references))
    return [Pair(f"fold {fold}", mean, others[fold]) for fold, mean in means.items()]
