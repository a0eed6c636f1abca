"""A base or a search space by itself: all that can be said of it without the spec that will include it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from craftc.compiler.checking.rules.rule import CheckedExperiment, check
from craftc.compiler.checking.rules.search import RANGE_RULES, SPACE
from craftc.compiler.language.removals import set_by_feature
from craftc.compiler.language.spec_places import component_field, fragment_at
from craftc.compiler.language.value_type import options
from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.nearest import surely_meant
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show
from craftc.compiler.reading.tree_edit import TreeEdit, rename
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, format_path, parse_path
from craftc.schemas.language import SECTIONS
from craftc.schemas.spec import Experiment


def as_spec(document: Document) -> Document:
    """A search space as a spec that holds nothing else."""
    root = document.root
    key = replace(root, value="search", span=(*root.span[:2], *root.span[:2]))
    search = replace(root, value={"space": (replace(key, value="space"), root)})
    whole: Node = replace(root, value={"search": (key, search)})
    return replace(document, root=whole)


def incomplete_problems(checked: CheckedExperiment) -> list[Problem]:
    """The rules that a part can break by itself: ranges are ranges, and every factor is in the language."""
    return [*check(checked, RANGE_RULES), *unknown_paths(checked.spec, checked.catalogue)]


def unknown_paths(spec: Experiment, catalogue: Catalogue) -> Iterator[Problem]:
    """Factors that no spec has; a note where a component of the user's might have it, and none of craftc's does."""
    ablation = spec.ablation
    factors: list[Path] = [("ablation", "grid", path) for path in ablation.grid]
    factors += [("ablation", "zip", path) for path in ablation.zip]
    factors += [("ablation", "features", name, path) for name, paths in ablation.features.items() for path in paths]
    factors += [("ablation", "exclude", i, path) for i, entry in enumerate(ablation.exclude) for path in entry]
    factors += [(*SPACE, path) for path in (spec.search.space if spec.search is not None else ())]
    for place in factors:
        path = str(place[-1])
        target = set_by_feature(str(place[2]), path) if place[1] == "features" else path
        yield from _unknown(place, parse_path(target), catalogue)


def _unknown(place: Path, target: Path, catalogue: Catalogue) -> Iterator[Problem]:
    message = f'there is no "{format_path(target)}" to set'
    if target[0] not in SECTIONS:
        hint = did_you_mean(str(target[0]), SECTIONS) or f"a path begins with {one_of(sorted(SECTIONS))}"
        fix = _renamed(place, target, 0, SECTIONS)
        yield Problem("unknown-factor", place, message, hint, at_key=True, fix=fix)
        return
    for length in range(1, len(target)):
        field = component_field(target[:length])
        part = str(target[length])
        if field is not None and part not in field.reserved:
            known = {p.name for entry in catalogue.entries if entry.group == field.group for p in entry.parameters}
            near = None if part in (known | {"kind"}) else did_you_mean(part, known)
            if near is not None:
                message = f"no built-in {format_path(target[:length])} takes {show(part)}"
                yield Problem("unknown-factor", place, message, near, at_key=True, severity="note")
            return
        if not fragment_at(target[: length + 1]):
            named = [name for option in options(fragment_at(target[:length])) for name in option.get("properties", {})]
            hint = did_you_mean(part, named) or f"expected {one_of(named)}"
            fix = _renamed(place, target, length, named)
            yield Problem("unknown-factor", place, message, hint, at_key=True, fix=fix)
            return


def _renamed(place: Path, target: Path, index: int, known: Iterable[str]) -> TreeEdit | None:
    """The key that is a path, with the part at an index as it can only have been meant."""
    meant = surely_meant(str(target[index]), known)
    return rename(place, ".".join(map(str, (*target[:index], meant, *target[index + 1 :])))) if meant else None
