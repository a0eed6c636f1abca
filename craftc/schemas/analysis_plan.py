"""How the differences of a run are to be judged, as its spec says before it runs. No part of a trial's identity."""

from typing import Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen, List

Correction = Literal["holm", "bh", "none"]
"""How p-values are adjusted for the number of comparisons. holm: the chance of any false verdict is at most 5%; bh
(Benjamini, Hochberg): of the verdicts, 5% are expected to be false; none: each is judged by itself."""

Claim = Literal["helps", "harms", "equal", "differs_by"]
Relation = Literal[">=", ">", "<=", "<"]


class Hypothesis(Frozen):
    """What is expected of one comparison with the baseline.

    `name` is that of a feature, whose `variant` is the one without it, or that of the variant itself. `relation` and
    `size`, above 0 and in the headline's unit, are those of `differs_by`: how the size of the difference, whatever its
    sign, compares.
    """

    name: str
    variant: str
    is_feature: bool
    claim: Claim
    relation: Relation | None = None
    size: float | None = Field(None, gt=0)

    @property
    def text(self) -> str:
        """As it is said: `warmup helps`, `dropout differs by >= 0.01`."""
        if self.claim == "differs_by":
            return f"{self.name} differs by {self.relation} {self.size:g}"
        return f"{self.name} is equal" if self.claim == "equal" else f"{self.name} {self.claim}"


class AnalysisPlan(Frozen):
    """`margin`, in the headline's unit, is the difference below which two variants count as equal; None where no two
    do. `looks` are the numbers of seeds at which a run looks whether to add more, ascending; none where it adds none.
    `features` are those of the ablation, by whose names hypotheses and verdicts are worded."""

    margin: float | None = Field(None, gt=0)
    correction: Correction = "holm"
    hypotheses: List[Hypothesis] = ()
    features: List[str] = ()
    looks: List[int] = ()

    def look_of(self, index: int) -> int:
        """The look, from 0, for which the seed of that index, from 0, is trained."""
        return sum(index >= num for num in self.looks[:-1])
