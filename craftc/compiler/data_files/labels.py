"""The labels of a table -> what of them is likely no class: missing values, spellings of one thing, quantities."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from craftc.compiler.reading.problem import Problem, all_of, one_of, show
from craftc.schemas.diagnostic import Path

TARGET: Path = ("data", "source", "target")
_WORDS = ["na", "n/a", "n.a.", "n.a", "<na>", "nan", "-nan", "nat", "null", "none", "nil", "missing"]
_MARKS = ["?", "-", "--", "."]
_OF_SPREADSHEETS = ["#n/a", "#na", "#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!"]
_OF_WINDOWS = ["1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"]
MISSING = frozenset(_WORDS + _MARKS + _OF_SPREADSHEETS + _OF_WINDOWS)
"""Texts that programs write in the place of a missing value, in small letters."""
_TRUTH = frozenset(["true", "false", "yes", "no", "t", "f", "y", "n", "on", "off", "1", "0", "1.0", "0.0"])
_MOST_SHOWN = 5
_HANDFUL = 8


def label_problems(labels: Sequence[str], column: str, *, keep: bool = False) -> list[Problem]:
    """What is wrong with the labels of a column, in the order of its rows, each without blanks around it.

    `keep`: they are classes as they are written, whatever they look like.
    """
    if keep:
        return []
    counts = Counter(labels)
    found = [*_missing(labels, counts, column), *_truth(counts, column)]
    return found or [*spelled_alike(list(counts)), *_fractions(counts, column)]


def crowded(num_classes: int, num_samples: int, what: str) -> Problem | None:
    """Labels of which a class has fewer than two on average are no classes; of a handful nobody can tell."""
    if num_classes * 2 <= num_samples or num_classes < _HANDFUL:
        return None
    message = f"{what} {num_classes:,} different values in {num_samples:,} samples, and each would be a class"
    hint = (
        "a class needs several samples: name what they have in common, or, of a quantity, write ranges of it as classes"
    )
    return Problem("target-not-classes", TARGET, message, hint)


def _missing(labels: Sequence[str], counts: Counter[str], column: str) -> Iterator[Problem]:
    names = [name for name in counts if name.casefold() in MISSING]
    if not names:
        return
    num_cells = sum(counts[name] for name in names)
    row = next(index for index, label in enumerate(labels) if label in names)
    others = f"; so {'do' if num_cells > 2 else 'does'} {num_cells - 1:,} more" if num_cells > 1 else ""
    message = f'row {row + 1} below the header, column "{column}": {show(labels[row])} reads as a missing value{others}'
    hint = f"fill them in, or write unlabelled: drop; if {one_of(sorted(names))} is a class, write keep_labels: true"
    yield Problem("label-missing", TARGET, message, hint)


def _truth(counts: Counter[str], column: str) -> Iterator[Problem]:
    """True, TRUE and 1 beside each other."""
    folded = {name.casefold() for name in counts}
    has_words = any(name.isalpha() for name in folded)
    if len(counts) > 2 and has_words and folded <= _TRUTH:
        message = f'column "{column}" spells true and false in {len(counts)} ways: {all_of(sorted(counts))}'
        hint = "write two spellings; or, if each is a class, write keep_labels: true"
        yield Problem("labels-alike", TARGET, message, hint)


def spelled_alike(names: Sequence[str], place: Path = TARGET) -> Iterator[Problem]:
    """Classes that differ in case, in blanks, in the form of a character, or in how a number is written."""
    groups: dict[str | float, list[str]] = {}
    for name in names:
        groups.setdefault(_plain(name), []).append(name)
    alike = [sorted(group) for group in groups.values() if len(group) > 1]
    if alike:
        shown = "; ".join(" and ".join(map(show, group)) for group in alike[:_MOST_SHOWN])
        more = f"; and {len(alike) - _MOST_SHOWN} more" if len(alike) > _MOST_SHOWN else ""
        message = f"classes that look alike are different ones: {shown}{more}"
        yield Problem("labels-alike", place, message, "write one spelling, if one is meant", severity="warning")


def odd_names(names: Sequence[str], place: Path) -> Iterator[Problem]:
    """What to warn of where class names are texts of a program, in which no cell can be mended."""
    yield from spelled_alike(names, place)
    if missing := [name for name in names if not name.strip() or name.strip().casefold() in MISSING]:
        reads = "read as missing values" if len(missing) > 1 else "reads as a missing value"
        message = f"{all_of(map(show, missing))} {reads} and {'are classes' if len(missing) > 1 else 'is a class'}"
        hint = "leave the samples out whose class nobody knows, unless one is meant"
        yield Problem("label-missing", place, message, hint, severity="warning")


def _plain(name: str) -> str | float:
    """The number that it is, or its letters without case, blanks, forms and characters that cannot be seen."""
    number = _number(name)
    if number is not None:
        return number
    folded = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(char for char in folded if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf"))
    return " ".join(seen.split())


def _fractions(counts: Counter[str], column: str) -> Iterator[Problem]:
    """Numbers with a fraction are mostly a quantity, which no class is."""
    numbers = {name: _number(name) for name in counts}
    if any(number is None for number in numbers.values()):
        return
    broken = [name for name, number in numbers.items() if number is not None and not number.is_integer()]
    if broken:
        shown = all_of(broken[:_MOST_SHOWN]) + (", ..." if len(broken) > _MOST_SHOWN else "")
        message = (
            f'column "{column}" holds numbers with a fraction ({shown}): each of its {len(counts):,} values is a class'
        )
        hint = "classes have no order and no distance; write ranges of a quantity as classes, or name another target"
        yield Problem("target-not-classes", TARGET, message, hint, severity="warning")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
