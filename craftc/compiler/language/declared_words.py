"""A component's entry -> what it declares of itself, in words for its documentation."""

from collections.abc import Iterable

from craftc.compiler.reading.problem import one_of
from craftc.schemas.catalogue import NUM_SAMPLES, TARGET_KINDS, ComponentEntry, DataKind

NOUNS: dict[DataKind, str] = {"images": "images", "table": "a table", "text": "text"}


def kinds_in_words(kinds: Iterable[DataKind]) -> str:
    """Kinds of data: `images or a table`."""
    return one_of(NOUNS[kind] for kind in kinds)


def targets_in_words(kinds: Iterable[str]) -> str:
    """Kinds of target: `classes or tokens`."""
    return one_of(words for kind, words in TARGET_KINDS.items() if kind in kinds)


def declared(entry: ComponentEntry) -> list[tuple[str, str]]:
    """Pairs of a verb and what it says: ("takes", "images or a table")."""
    found: list[tuple[str, str]] = []
    if entry.gives:
        found.append(("gives", kinds_in_words(entry.gives)))
    if entry.gives_targets:
        found.append(("to be predicted", targets_in_words(entry.gives_targets)))
    if entry.facts:
        is_class = not entry.gives_targets or not {"real", "vectors"}.issuperset(entry.gives_targets)
        counted = {NUM_SAMPLES: "samples", "num_classes": "classes" if is_class else "quantities to predict"}
        numbers = [f"{value:,} {counted[name]}" for name, value in entry.facts.items() if name in counted]
        others = [f"{name} {value:,}" for name, value in entry.facts.items() if name not in counted]
        found.append(("has", ", ".join([*numbers, *others])))
    if entry.takes:
        found.append(("takes", kinds_in_words(entry.takes)))
    if entry.takes_targets:
        verb = {"after_stages": "fitted to", "artefacts": "shows"}.get(entry.group, "measures")
        found.append((verb, targets_in_words(entry.takes_targets)))
    if entry.pools_columns is not None:
        found.append(("of a table", f"it {entry.pools_columns} of all columns"))
    return found
