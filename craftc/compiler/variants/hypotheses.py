"""The hypotheses of a spec: which variant each is about, and what is wrong with them."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from craftc.compiler.checking.rules.rule import CheckedExperiment
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean, one_of, show
from craftc.compiler.variants.designs import BASE, FULL
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import DiffersBy, Experiment, Spec

HYPOTHESES: Path = ("report", "hypotheses")
MARGIN: Path = ("report", "margin")
SEEDS: Path = ("ablation", "seeds")
VARIANTS: tuple[Path, ...] = tuple(
    ("ablation", key) for key in ("features", "sets", "design", "grid", "zip", "combine")
)
"""What decides which variants there are."""
_RELATIONS = (">=", ">", "<=", "<")
_SIZE = re.compile(r"(>=|>|<=|<)\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)")


class Size(NamedTuple):
    """How the size of a difference compares with a number above 0."""

    relation: str
    number: float


def check_hypotheses(base: CheckedExperiment, variants: Sequence[str]) -> Iterator[Problem]:
    """Every hypothesis is of a variant that there is, and something can decide it. `variants` are their names."""
    report = base.spec.report
    baseline = _baseline(base.spec)
    others = [name for name in variants if name != baseline]
    for name, claim in report.hypotheses.items():
        place: Path = (*HYPOTHESES, name)
        variant, is_feature = compared(base.spec, name)
        if variant == baseline:
            message = f"{show(name)} is what the others are compared with, and so nothing is expected of it"
            yield Problem("bad-hypothesis", place, message, _instead(base.spec, others), at_key=True)
        elif variant not in others:
            yield _unknown(base.spec, name, others, is_feature=is_feature)
        if isinstance(claim, DiffersBy) and size_of(claim) is None:
            message = f"{show(claim.differs_by)} is no size of a difference"
            hint = f'write {one_of(_RELATIONS)}, and a number above 0: ">= 0.01"'
            yield Problem("bad-hypothesis", (*place, "differs_by"), message, hint)
        elif claim == "equal" and report.margin is None:
            message = f"that {show(name)} is equal cannot be shown without a margin within which it counts as equal"
            yield Problem("bad-hypothesis", place, message, "write report.margin", reads=(MARGIN,))
    if report.hypotheses and _num_pairs(base.spec) == 1:
        message = "with one seed no difference has an interval, so that every hypothesis stays undecided"
        hint = "set ablation.seeds to 3 or more"
        yield Problem("bad-hypothesis", HYPOTHESES, message, hint, True, "warning", reads=(SEEDS,))


def compared(spec: Experiment, name: str) -> tuple[str, bool]:
    """The variant that a hypothesis is about, and whether its name is that of a feature, which is off in it."""
    is_feature = name in spec.ablation.features
    return (f"-{name}", True) if is_feature else (name, False)


def size_of(claim: DiffersBy) -> Size | None:
    """None where it cannot be read."""
    found = _SIZE.fullmatch(claim.differs_by.strip())
    number = float(found[2]) if found else 0.0
    return Size(found[1], number) if found and 0 < number < math.inf else None


def _baseline(spec: Experiment) -> str:
    return FULL if spec.ablation.features else BASE


def _unknown(spec: Experiment, name: str, others: Sequence[str], *, is_feature: bool) -> Problem:
    place: Path = (*HYPOTHESES, name)
    if is_feature:
        message = f'no variant is without {show(name)} alone: there is no "-{name}" to compare'
        hint = "add leave_one_out to ablation.design"
        if spec.ablation.combine == "product" or set(spec.ablation.design) - {"add_one"}:
            hint = "exclude, require or combine leave it out; name a variant that craftc plan shows"
        return Problem("bad-hypothesis", place, message, hint, at_key=True, reads=VARIANTS)
    known = [*spec.ablation.features, *others]
    hint = did_you_mean(name, known) or _instead(spec, others)
    message = f"there is neither a feature nor a variant {show(name)}"
    return Problem("unknown-variant", place, message, hint, at_key=True, reads=VARIANTS)


def _instead(spec: Experiment, others: Sequence[str]) -> str:
    features = [feature for feature in spec.ablation.features if f"-{feature}" in others]
    known = [*features, *(name for name in others if name[1:] not in features)]
    return f"there are {all_of(known)}" if known else "give the ablation features, or a grid"


def _num_pairs(spec: Experiment) -> int:
    """How many seeds, or folds, each comparison has."""
    splits = spec.data.splits if isinstance(spec, Spec) else None
    if splits is not None and splits.folds is not None and splits.fold is None:
        return splits.folds
    return spec.ablation.num_seeds
