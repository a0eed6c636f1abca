"""Rules of what is taken out of a model: one function and one code each. Which modules it has is not known here."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.language.removals import PLACE, patterns_of
from craftc.compiler.reading.problem import Problem, show
from craftc.schemas.catalogue import REMOVE
from craftc.schemas.diagnostic import Path


def patterns(checked: Checked) -> Iterator[tuple[Path, str]]:
    """Every pattern of the model's removals, and its place."""
    removals = checked.tree["model"].get(REMOVE)
    for name, entry in removals.items() if isinstance(removals, dict) else ():
        is_list = isinstance(entry, dict) and not isinstance(entry.get("modules"), str)
        for index, pattern in enumerate(patterns_of(entry)):
            yield (*PLACE, name, "modules", *((index,) if is_list else ())), pattern


def removes_everything(checked: Checked) -> Iterator[Problem]:
    """A pattern leaves something of the model."""
    for place, pattern in patterns(checked):
        if pattern and not pattern.strip("*"):
            message = f"{show(pattern)} names all modules of the model, and nothing would be left to train"
            yield Problem("removes-everything", place, message, "name a part of it, such as blocks.*.attn")


def removed_twice(checked: Checked) -> Iterator[Problem]:
    """A module is removed once."""
    seen: dict[str, Path] = {}
    for place, pattern in patterns(checked):
        if seen.setdefault(pattern, place) != place:
            message = f"{show(pattern)} is removed already"
            reads = (place, seen[pattern])
            yield Problem("no-effect", place, message, "keep one of the two", severity="warning", reads=reads)


REMOVAL_RULES: tuple[Rule, ...] = (removes_everything, removed_twice)
"""What `model.remove` has to keep."""
