"""A key that is not known to a Problem: the key that is likely meant, where it belongs, or what it is called here."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from craftc.compiler.checking.suggestion import fits
from craftc.compiler.language.component_fields import component_fields
from craftc.compiler.language.spec_places import component_field, fragment_at
from craftc.compiler.language.value_type import options
from craftc.compiler.reading.nearest import nearest, surely_meant
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show
from craftc.compiler.reading.tree_edit import TreeEdit, move, rename, split
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.language import Language
from craftc.schemas.section import Section
from craftc.schemas.spec import CheckpointEvery, Every

MAX_OWNERS = 3
"""Places that a message names for a key that stands in the wrong one."""


def unknown_key(path: Path, value: Any, known: Iterable[str], otherwise: str, catalogue: Catalogue) -> Problem:
    """A key that is not known, the likeliest of those that are, or where it belongs."""
    known = list(known)
    name = str(path[-1])
    parent = format_path(path[:-1])
    message = f"unknown key {show(name)}" + (f' in "{parent}"' if parent else "")
    if (needed := _only_component(path, value, catalogue)) is not None:
        called = str(needed[-1])
        mend = rename(path, called)
        return Problem("unknown-key", path, message, f"write {called}: {value}", True, reads=(needed,), fix=mend)
    near = nearest(name.partition(":")[0], known)
    fix = _mended_key(path, name, known, catalogue) if near is not None else None
    if fix is None and ":" not in name:
        found = foreign_key(path, value, known, message, catalogue)
        if found is None and (near is None or _is_at_home(name, value, path)):
            found = _owned(path, value, message, catalogue)
        if found is not None:
            return found
    if near is None:
        return Problem("unknown-key", path, message, otherwise, at_key=True)
    hint = did_you_mean(name, [near]) if ":" not in name else f'a space follows the colon: "{near}: ..."'
    return Problem("unknown-key", path, message, hint, True, reads=((*path[:-1], near),), fix=fix)


def _only_component(path: Path, value: Any, catalogue: Catalogue) -> Path | None:
    """The one component that a section needs, where its kind stands under what other tools call `kind`."""
    from craftc.compiler.language.foreign_words import KIND_WORDS

    if path[-1] not in ("kind", *KIND_WORDS) or not isinstance(value, str):
        return None
    required = fragment_at(path[:-1]).get("required", [])
    fields = [field for field in component_fields() if field.path[:-1] == path[:-1] and field.path[-1] in required]
    return fields[0].path if len(fields) == 1 and value in catalogue.kinds(fields[0].group) else None


def foreign_key(path: Path, value: Any, known: list[str], message: str, catalogue: Catalogue) -> Problem | None:
    """A key that another tool calls so, with the place and form that it has here."""
    from craftc.compiler.language.foreign_words import (
        foreign_argument,
        foreign_word,
    )  # seldom: a third of a millisecond

    name = str(path[-1])
    here = foreign_argument(name, known)
    if here is not None:
        hint = f'it is called "{here}" here'
        return Problem("unknown-key", path, message, hint, True, reads=((*path[:-1], here),), fix=rename(path, here))
    word = foreign_word(name)
    if word is None:
        return None
    if word.hint is not None:
        return Problem("unknown-key", path, message, word.hint, True, reads=(word.to,) if word.to else ())
    return None if word.to in (None, path) else _placed_elsewhere(path, value, word.to or (), message, catalogue)


def _placed_elsewhere(path: Path, value: Any, to: Path, message: str, catalogue: Catalogue) -> Problem:
    """A key whose value stands in another place here, or in this one under another name."""
    name = str(path[-1])
    if path[0] == "data" and to == ("seed",):
        hint = "data.splits.seed draws the splits; seed, at the top level, is that of the training"
        return Problem("unknown-key", path, message, hint, True)
    key = str(to[-1])
    if to[:-1] == path[:-1]:
        fix = rename(path, key) if _takes(to[:-1], key, value) else None
        return Problem("unknown-key", path, message, f'it is called "{key}" here', True, reads=(to,), fix=fix)
    hint = f"it is {format_path(to)} here" if key != name else f"it belongs {_where(to[:-1])}"
    fix = _in_its_section(path, key, value, catalogue, to)
    return Problem("unknown-key", path, message, hint, True, reads=(to,), fix=fix)


def _is_at_home(name: str, value: Any, path: Path) -> bool:
    """Whether some other section has a key of that name, and takes the value."""
    return any(_takes(section, name, value) for section in sections_by_key().get(name, ()) if section != path[:-1])


def _where(section: Path) -> str:
    return f'under "{format_path(section)}"' if section else "at the top level"


def _owned(path: Path, value: Any, message: str, catalogue: Catalogue) -> Problem | None:
    """A key that belongs elsewhere."""
    owners = [owner for owner in _owners(str(path[-1]), catalogue) if owner != path[:-1]]
    if not owners:
        return None
    named = [f'"{format_path(owner)}"' for owner in owners if owner][:MAX_OWNERS]
    places = ["at the top level"] * (() in owners) + ([f"under {one_of(named)}"] if named else [])
    hint = f"it belongs {' or '.join(places)}"
    return Problem(
        "unknown-key", path, message, hint, at_key=True, fix=_in_its_section(path, str(path[-1]), value, catalogue)
    )


def _mended_key(path: Path, name: str, known: Sequence[str], catalogue: Catalogue) -> TreeEdit | None:
    if ":" in name:
        return split(path) if name.partition(":")[0] in known else None
    if name in sections_by_key() or any(entry.parameter(name) for entry in catalogue.entries):
        return None  # it is a key elsewhere, and so spelt as it is meant
    meant = surely_meant(name, known)
    return rename(path, meant) if meant is not None else None


def _in_its_section(
    path: Path, name: str, value: Any, catalogue: Catalogue, place: Path | None = None
) -> TreeEdit | None:
    """The move of a key that is called `name` and known in one place alone, or meant at `place`, and has a value for
    that."""
    sections = sections_by_key().get(name, [])
    if place is not None and place[:-1] in sections:
        sections = [place[:-1]]
    groups = {entry.group for entry in catalogue.entries if entry.parameter(name)}
    fields = [field for field in component_fields() if field.group in groups and not field.is_named_by_user]
    if len(sections) == 1 and (place is not None or not fields or name in _needed(sections[0])):
        to = (*sections[0], name)
        # A section that `none` switches off is not to be switched on by a key that was meant for it.
        creates = len(to) == 2 and not Language.fields[str(to[0])].is_switch
        return move(path, to, creates=creates) if _takes(sections[0], name, value) else None
    if not sections and len(fields) == 1 and not fields[0].many:
        taking = [entry for entry in catalogue.entries if entry.group == fields[0].group]
        types = {entry.kind: entry.parameter(name) for entry in taking}
        kinds = frozenset(kind for kind, parameter in types.items() if parameter and fits(value, parameter.type))
        return move(path, (*fields[0].path, name), kinds) if kinds else None
    return None


def _needed(section: Path) -> list[str]:
    """The keys that a section has to have, also those that another may stand in for."""
    fragment = fragment_at(section)
    return [*fragment.get("required", []), *fragment.get("then", {}).get("required", [])]


def _owners(name: str, catalogue: Catalogue) -> list[Path]:
    """Every section that has a key of that name, or else every place whose components take an argument of it."""
    sections = sections_by_key().get(name)
    if sections is not None:
        return sections
    groups = {entry.group for entry in catalogue.entries if entry.parameter(name)}
    return [field.path for field in component_fields() if field.group in groups and not field.is_named_by_user]


def _takes(section: Path, name: str, value: Any) -> bool:
    """Whether a section has a key of that name, and the value is one for it."""
    if not any(name in part.get("properties", {}) for part in options(fragment_at(section))):
        return False
    field = component_field((*section, name))
    if field is None:
        return fits(value, fragment_at((*section, name)))
    is_component = isinstance(value, str) or (isinstance(value, dict) and "kind" in value)
    return isinstance(value, list) if field.many else is_component


@lru_cache(maxsize=1)
def sections_by_key() -> dict[str, list[Path]]:
    """Each key of the language, and the sections that have it."""
    found: dict[str, list[Path]] = {}

    def walk(section: type[Section], prefix: Path) -> None:
        for key, field in section.fields.items():
            owners = found.setdefault(key, [])
            if prefix not in owners:
                owners.append(prefix)
            for inner in field.sections:
                # A unit in which a length is counted says nothing of where a length of that unit belongs.
                if inner not in (Every, CheckpointEvery):
                    walk(inner, (*prefix, key))

    walk(Language, ())
    return found
