"""A valid spec in; how the report of its runs is to judge, out."""

from typing import cast

from craftc.compiler.variants.hypotheses import compared, size_of
from craftc.schemas.analysis_plan import AnalysisPlan, Claim, Hypothesis, Relation
from craftc.schemas.spec import DiffersBy, Experiment, SeedsUntilDecided


def analysis_plan(spec: Experiment) -> AnalysisPlan:
    """How the report of a valid spec is to judge."""
    hypotheses = []
    for name, claim in spec.report.hypotheses.items():
        variant, is_feature = compared(spec, name)
        size = size_of(claim) if isinstance(claim, DiffersBy) else None
        hypotheses.append(
            Hypothesis(
                name=name,
                variant=variant,
                is_feature=is_feature,
                claim="differs_by" if isinstance(claim, DiffersBy) else cast(Claim, claim),
                relation=None if size is None else cast(Relation, size.relation),
                size=None if size is None else size.number,
            )
        )
    return AnalysisPlan(
        margin=spec.report.margin,
        correction=spec.report.correction,
        hypotheses=tuple(hypotheses),
        features=tuple(spec.ablation.features),
        looks=_looks(spec),
    )


def _looks(spec: Experiment) -> tuple[int, ...]:
    """Half as many seeds more each time, the last at_most."""
    seeds = spec.ablation.seeds
    if not isinstance(seeds, SeedsUntilDecided):
        return ()
    looks = [seeds.at_least]
    while looks[-1] < seeds.at_most:
        looks.append(min(seeds.at_most, looks[-1] + -(-looks[-1] // 2)))
    return tuple(looks)
