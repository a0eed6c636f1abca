"""Refuse an ablation that asks for more variants or trials than can be checked within seconds, before any is made."""

import math

from craftc.compiler.checking.rules.rule import CheckedExperiment
from craftc.compiler.reading.problem import Problem
from craftc.compiler.reading.tree import count_values
from craftc.compiler.variants.designs import num_variants
from craftc.compiler.variants.filters import exclude_groups
from craftc.schemas.language import SECTIONS
from craftc.schemas.spec import Ablation, Experiment, Spec

MAX_VARIANTS = 10_000
"""Of one spec. Each is checked by itself, which takes some tenths of a millisecond."""
MAX_TRIALS = 100_000
"""Variants times seeds. A plan holds each, which takes some kilobytes and some hundredths of a millisecond."""
MAX_SETTINGS = 500
"""Values that features set and paths that grid and zip vary, all together."""
MAX_VALUES = 1_000_000
"""Values of the spec times its variants: of a spec of up to 100 values, 10,000 variants."""
MAX_ANSWERS = 200_000
"""Answers of `exclude` and `require`: one for each variant of each requirement, by its length, and of all exclusions of
the same paths together."""
ANSWER_LENGTH = 40
"""Characters of an expression that take about as long to compute as an answer takes besides."""


def too_large(base: CheckedExperiment) -> Problem | None:
    """What of an ablation is too large, and the mend; None where all can be checked."""
    ablation = base.spec.ablation
    variants = num_variants(ablation)
    if variants > MAX_VARIANTS:
        message = f"the ablation asks for {_count(variants)} variants; at most {MAX_VARIANTS:,} are possible"
        return Problem("too-many-variants", ("ablation",), message, "search, or split the spec", at_key=True)
    trials = variants * ablation.num_seeds
    seeds_alone = not isinstance(ablation.seeds, tuple) and ablation.num_seeds > MAX_TRIALS
    if seeds_alone:
        message = f"{_count(trials)} trials are asked for; at most {MAX_TRIALS:,} are possible"
        return Problem("too-many-trials", ("ablation", "seeds"), message, "give fewer seeds")
    if trials > MAX_TRIALS:
        message = f"the ablation asks for {_count(trials)} trials; at most {MAX_TRIALS:,} are possible"
        return _problem(message, "shorten its lists, or give fewer seeds")
    if (searched := _too_many_points(base)) is not None:
        return searched
    settings = len(ablation.grid) + len(ablation.zip) + sum(map(len, ablation.features.values()))
    if settings > MAX_SETTINGS:
        message = f"the ablation sets {settings:,} values; at most {MAX_SETTINGS:,} are possible"
        return _problem(message, "shorten its lists")
    if variants == 1:
        return None
    size = num_values(base) + settings
    if size * variants > MAX_VALUES:
        message = f"{variants:,} variants of a spec with {size:,} values are too much to check"
        return _problem(message, "shorten its lists")
    if variants * _num_answers(ablation) > MAX_ANSWERS:
        rules = len(ablation.exclude) + len(ablation.require)
        message = f"{rules:,} rules of exclude and require are too many for {variants:,} variants"
        return _problem(message, "give fewer of them, or shorter lists")
    return None


def _too_many_points(base: CheckedExperiment) -> Problem | None:
    """A search has no more trials than an ablation."""
    search, num_seeds = base.spec.search, base.spec.ablation.num_seeds
    num_folds = _num_folds(base.spec)
    if search is None or search.trials * num_seeds * num_folds <= MAX_TRIALS:
        return None
    several = [f"{num:,} {what}" for num, what in ((num_seeds, "seeds"), (num_folds, "folds")) if num > 1]
    each = f", each with {' and '.join(several)}," if several else ""
    message = f"{_count(search.trials)} points{each} are asked for; at most {MAX_TRIALS:,} trials are possible"
    return Problem("too-many-trials", ("search", "trials"), message, "search fewer points")


def _num_folds(spec: Experiment) -> int:
    splits = spec.data.splits if isinstance(spec, Spec) else None
    return 1 if splits is None or splits.fold is not None else splits.folds or 1


def num_values(base: CheckedExperiment) -> int:
    """How many values the sections have that variants may set."""
    return count_values({name: value for name, value in base.written.items() if name in SECTIONS})


def _num_answers(ablation: Ablation) -> int:
    """How many answers `exclude` and `require` take for one variant."""
    lengths = [1 + len(text) // ANSWER_LENGTH for text in ablation.require]
    return len(exclude_groups(ablation)) + sum(lengths)


def _problem(message: str, hint: str) -> Problem:
    return Problem("too-many-trials", ("ablation",), message, hint, at_key=True)


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"more than 10^{math.floor(math.log10(number))}"
