"""The hypotheses of a spec -> the variants that they are about, or what is wrong with them."""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Any, NamedTuple

from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import COMPARISON, DiffersBy, Experiment

HYPOTHESES: Path = ("report", "hypotheses")
MOST_LISTED = 8


class Expected(NamedTuple):
    """A hypothesis; `schemas/hypothesis.py` says what its fields are."""

    name: str
    claim: str
    variant: str
    is_feature: bool
    comparison: Any = None
    size: float | None = None


def hypotheses(spec: Experiment) -> Iterator[Expected]:
    """Those of a valid spec. A name is that of a feature where there is one; the variant without it is compared."""
    for name, said in spec.report.hypotheses.items():
        is_feature = name in spec.ablation.features
        variant = f"-{name}" if is_feature else name
        if isinstance(said, DiffersBy):
            found = re.fullmatch(COMPARISON, said.differs_by)
            assert found is not None, "a comparison of another form was let through"
            yield Expected(name, "differs_by", variant, is_feature, found[1], float(found[2]))
        else:
            yield Expected(name, said, variant, is_feature)


def hypothesis_problems(spec: Experiment, variants: Set[str], baseline: Sequence[str]) -> Iterator[Problem]:
    """A hypothesis is of a variant that is compared with the baseline, and can be decided."""
    known = [*spec.ablation.features, *(name for name in sorted(variants) if name not in baseline)]
    for each in hypotheses(spec):
        place = (*HYPOTHESES, each.name)
        if each.variant not in variants and each.is_feature:
            message = f"{each.name} is a feature, and no variant has it alone switched off"
            yield Problem("unknown-variant", place, message, "add leave_one_out to ablation.design", True)
        elif each.variant not in variants or each.variant in baseline:
            listed = [*known[:MOST_LISTED], *(["others"] if len(known) > MOST_LISTED else [])]
            near = did_you_mean(each.name, known) or (f"there are {one_of(listed)}" if known else "add an ablation")
            what = "is the baseline" if each.variant in baseline else "is neither a feature nor a variant"
            yield Problem("unknown-variant", place, f"{show(each.name)} {what}", near, True)
        if each.claim == "equal" and spec.report.margin is None:
            message = f"whether {each.name} is equal cannot be decided without report.margin"
            yield Problem("margin-missing", place, message, "add margin: the largest difference that does not matter")
