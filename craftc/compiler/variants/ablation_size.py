"""What an ablation asks for -> whether it is more than can be checked within seconds, or trained at all."""

import math

from craftc.compiler.checking.rules.rule import Checked
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import count_values
from craftc.compiler.variants.clusters import clusters
from craftc.compiler.variants.designs import num_variants
from craftc.schemas.diagnostic import parse_path
from craftc.schemas.spec import Ablation

MAX_TRIALS = 1_000_000
"""Of one spec. A plan holds each, which takes some kilobytes and some hundredths of a millisecond; a product of a few
long lists is soon more than anyone could train or wait for."""
MAX_SETTINGS = 500
"""Values that features set and paths that grid and zip vary, all together."""
MAX_WORK = 200_000
"""Values of the spec, times the parts that its variants are put together of; each takes some microseconds."""
MAX_ALONE = 30_000
"""The same, times variants that are resolved and checked each by itself."""
MAX_COMBINED = 100_000_000
"""Values of the spec, times the variants that are put together of those."""


def too_large(base: Checked) -> Problem | None:
    """What of an ablation is too large, and the mend; None where all can be checked."""
    ablation = base.spec.ablation
    variants = num_variants(ablation)
    trials = variants * (ablation.seeds if isinstance(ablation.seeds, int) else len(ablation.seeds))
    if trials > MAX_TRIALS:
        return _problem(f"the ablation asks for {_count(trials)} trials; at most {MAX_TRIALS:,} are possible")
    settings = len(ablation.grid) + len(ablation.zip) + sum(map(len, ablation.features.values()))
    if settings > MAX_SETTINGS:
        return _problem(f"the ablation sets {settings:,} values; at most {MAX_SETTINGS:,} are possible")
    written = {key: value for key, value in base.written.items() if key != "ablation"}
    size = count_values(written) + settings
    if variants > 1 and size * variants > MAX_COMBINED:
        return too_much(variants, size)
    alone = min(variants, _num_parts(ablation))
    return too_much(alone, size) if alone > 1 and size * alone > MAX_WORK else None


def _num_parts(ablation: Ablation) -> int:
    """At most how many combinations of values there are within the clusters, which are checked each by itself."""
    axes = [(path, len(values)) for path, values in [*ablation.grid.items(), *ablation.zip.items()]]
    switches = [(path, 1) for settings in ablation.features.values() for path in settings]
    of_path = clusters({path: parse_path(path) for path, _ in [*axes, *switches]})
    combinations: dict[int, int] = {}
    for path, length in [*axes, *switches]:
        combinations[of_path[path]] = combinations.get(of_path[path], 1) * (length + 1)
    return sum(combinations.values())


def max_alone(base: Checked) -> int:
    """How many variants of the spec can be resolved and checked by themselves."""
    return MAX_ALONE // count_values({key: value for key, value in base.written.items() if key != "ablation"})


def too_much(variants: int, size: int) -> Problem:
    """So many variants, or values in them, of a spec of that size are not checked."""
    return _problem(f"{variants:,} variants of a spec with {size:,} values are too much to check")


def too_many_rules(ablation: Ablation, variants: int) -> Problem:
    """The rules of exclude and require are not asked of so many variants."""
    rules = len(ablation.exclude) + len(ablation.require)
    message = f"{rules:,} rules of exclude and require are too many for {variants:,} variants"
    return Problem("too-many-trials", ("ablation",), message, "give fewer of them, or shorter lists", at_key=True)


def _problem(message: str) -> Problem:
    return Problem("too-many-trials", ("ablation",), message, "shorten its lists", at_key=True)


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"more than 10^{math.floor(math.log10(number))}"
