"""Adds to the catalogue every component of the user's own that a spec names.

Their source is read, and never imported.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from craftc.compiler.own_code.import_path import import_folders
from craftc.compiler.reading.problem import show
from craftc.schemas.catalogue import NESTED, Catalogue, ComponentEntry, Group, Unreadable, is_own

if TYPE_CHECKING:
    from craftc.compiler.own_code.python_source import SourceIndex

_KIND = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
PROGRAMS: Group = "programs"
MAX_KINDS = 200
"""Of one spec; each is looked for on the disk."""
_SECTIONS = ("data", "model", "objective", "training", "program", "ablation", "search", "report")


def with_own(catalogue: Catalogue, tree: Any, spec: Path) -> Catalogue:
    """Read what stands in the form `package.module:Name` anywhere in a spec's tree: in sections, in what an ablation
    sets, among a search's choices, in arguments. Whether it is named where a component belongs is not asked yet."""
    kinds = sorted(set(own_kinds(tree)))
    if not kinds:
        return catalogue
    from craftc.compiler.own_code.python_source import SourceIndex  # griffe, only for specs that need it

    index = SourceIndex(import_folders(spec), lambda file: shown(file, spec))
    own: dict[tuple[str, str], ComponentEntry] = {}
    unreadable: dict[tuple[str, str], Unreadable] = {}
    for number, kind in enumerate(kinds):
        for group, read in _read(kind, index) if number < MAX_KINDS else _too_many(kind):
            if isinstance(read, ComponentEntry):
                own[group, kind] = read
            else:
                unreadable[group, kind] = read
    return replace(catalogue, own=own, unreadable=unreadable)


def _too_many(kind: str) -> Iterator[tuple[str, Unreadable]]:
    message = f"{show(kind)} is not looked for: the spec names more than {MAX_KINDS} components of its own"
    for group in (*get_args(Group), NESTED):
        yield group, Unreadable(kind=kind, code="unknown-component", message=message)


def own_kinds(tree: Any) -> Iterator[str]:
    """Every text of that form in the sections where a component can be named."""
    sections = [tree[name] for name in _SECTIONS if name in tree] if isinstance(tree, dict) else []
    return (text for section in sections for text in _texts(section) if _KIND.fullmatch(text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and is_own(value):
        yield value
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _texts(item)


def _read(kind: str, index: "SourceIndex") -> Iterator[tuple[str, ComponentEntry | Unreadable]]:
    """The entry of a kind in each group, or why it has none."""
    from craftc.compiler.own_code.declarations import DeclarationError
    from craftc.compiler.own_code.interface import asked_names, interface_problem, named_parameters
    from craftc.compiler.own_code.program_function import reported_metrics
    from craftc.compiler.own_code.signature import MAKES, TargetError, describe_component, find_component
    from craftc.compiler.own_code.torchmetrics_names import with_inferred

    groups: tuple[Group, ...] = get_args(Group)
    try:
        component = find_component(kind, index)
    except TargetError as error:
        missing = Unreadable(
            kind=kind, code="unknown-component", message=error.message, hint=error.hint or None, related=error.related
        )
        yield from ((group, missing) for group in (*groups, NESTED))
        if error.hint == MAKES:
            yield (
                PROGRAMS,
                missing._replace(hint="a program is a function that takes run: write one that does the rest"),
            )
        return
    nested = describe_component(component, NESTED, kind)
    yield NESTED, nested
    for group in groups:
        problem = interface_problem(component, group)
        if problem is not None:
            reason, mend = problem
            yield group, Unreadable(kind, "unfit-component", f"{show(kind)} {reason}", mend, nested.definition())
            continue
        try:
            entry = describe_component(component, group, kind)
            asks, named = asked_names(component, group), named_parameters(component, group)
            reported = reported_metrics(component.found, component.arguments) if group == PROGRAMS else None
            entry = with_inferred(entry, component)
            yield group, entry._replace(asks=asks, named=named, reported=reported)
        except DeclarationError as error:
            message = f"{show(kind)} {error.message}"
            yield group, Unreadable(kind, "unfit-component", message, error.hint, error.related)


def shown(file: Path, spec: Path) -> str:
    """A file's name for a message: from the spec's, as the user named that, or absolute where it is elsewhere."""
    folders = import_folders(spec)
    if not any(file.is_relative_to(folder) for folder in folders) or "site-packages" in file.parts:
        return str(file)
    return os.path.normpath(spec.parent / os.path.relpath(file, spec.resolve().parent))
