"""Samples and the fractions of splits -> how many samples each split gets, and why one gets none."""

import math
from collections.abc import Mapping
from typing import Any

from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import NUM_SAMPLES, ComponentEntry

SHARES_DIFFER_BY = 200
"""Stratified, a split differs from its fraction of all samples by less than 2, or by less than one in so many of
them."""


def split_sizes(num_samples: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers nearest to the shares, together all samples: the largest remainders first, of equals the first."""
    shares = {name: fraction * num_samples for name, fraction in fractions.items()}
    sizes = {name: math.floor(share + 1e-9) for name, share in shares.items()}
    left = num_samples - sum(sizes.values())
    for name in sorted(shares, key=lambda name: -round(shares[name] - sizes[name], 9))[: max(left, 0)]:
        sizes[name] += 1
    return sizes


def declared_samples(source: ComponentEntry | None, arguments: Mapping[str, Any]) -> int | None:
    """How many samples a source declares that it gives; None where it does not say, or leaves some of them out."""
    is_whole = source is not None and arguments.get("imbalance", 1) == 1
    return source.facts.get(NUM_SAMPLES) if source is not None and is_whole else None


def empty_splits(num_samples: int, fractions: Mapping[str, float]) -> list[Problem]:
    """The splits whose share of the samples is rounded to none."""
    return [
        Problem("empty-split", ("data", "splits", name), share_of(name, fractions[name], num_samples), hint)
        for name, size in split_sizes(num_samples, fractions).items()
        if size == 0
        for hint in [f"raise data.splits.{name}, or add samples"]
    ]


def share_of(name: str, fraction: float, num_samples: int) -> str:
    """`split test is empty: 0.001 of 40 samples is 0.04`."""
    return f"split {name} is empty: {fraction:g} of {num_samples:,} samples is {fraction * num_samples:.3g}"
