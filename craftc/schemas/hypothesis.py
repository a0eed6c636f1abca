"""A hypothesis about a variant, written before the run, and what became of it."""

from typing import Literal

from pydantic import Field

from craftc.schemas.frozen import Frozen


class Hypothesis(Frozen):
    """`name` is that of a feature or of a variant. helps: the feature, or else the variant, has a better headline than
    without; harms: a worse one; equal: within the report's margin; differs_by: the size of the difference, whichever
    way, compares so to `size`. `variant` is the one that is compared with the baseline, with a feature switched off
    where `is_feature`."""

    name: str
    claim: Literal["helps", "harms", "equal", "differs_by"]
    variant: str
    is_feature: bool = False
    comparison: Literal[">=", ">", "<=", "<"] | None = None
    size: float | None = Field(None, ge=0)

    @property
    def words(self) -> str:
        """As it was written: `warmup helps`, `dropout differs by >= 0.01`."""
        if self.claim == "equal":
            return f"{self.name} is equal"
        if self.size is None:
            return f"{self.name} {self.claim}"
        return f"{self.name} differs by {self.comparison} {self.size:g}"
