"""A key that a program's spec does not have to a Problem: what it belongs to, and where it stands here."""

from typing import Any

from craftc.compiler.checking.unknown_key import sections_by_key
from craftc.compiler.language.spec_places import fragment_at
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import Problem, all_of, show
from craftc.compiler.reading.tree_edit import move
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.language import PROGRAM, is_of
from craftc.schemas.program_spec import ProgramEvaluation, ProgramSpec, ProgramTraining

_KEPT = {"training": tuple(ProgramTraining.fields), "evaluation": tuple(ProgramEvaluation.fields)}
"""What a program's spec has of the sections that both kinds of spec have."""


def of_program(path: Path, tree: dict[str, Any], catalogue: Catalogue) -> Problem | None:
    """What is to be said of a key that a program's spec does not have, beside that it is unknown; None where that is
    all."""
    return _of_training(path) if fragment_at(path) else _stray(path, tree, catalogue)


def _of_training(path: Path) -> Problem:
    """A key by which craftc trains: which of the two belongs to what, and what to do."""
    section, *inner = path
    if not inner:
        message = f'"{section}" belongs to an experiment that craftc trains, and "{PROGRAM}" to one that trains itself'
        hint = f"keep one of the two; what the function needs is an argument of {PROGRAM}"
        return Problem("not-of-a-program", path, message, hint, at_key=True)
    kept = all_of(_KEPT[str(section)], " and ")
    message = f'a program trains itself, and "{format_path(path)}" says how craftc trains'
    hint = f"make it an argument: {PROGRAM}.{inner[0]}; of {section}, a program has {kept} alone"
    return Problem("not-of-a-program", path, message, hint, at_key=True)


def _stray(path: Path, tree: dict[str, Any], catalogue: Catalogue) -> Problem | None:
    """A key that stands nowhere in a program's spec, and is an argument of the program, or a key or other tool's word
    for one, by which craftc trains; None of any other."""
    from craftc.compiler.language.foreign_words import foreign_word  # seldom

    name, parent, program = str(path[-1]), format_path(path[:-1]), tree.get(PROGRAM)
    known = _KEPT.get(str(path[0]), ()) if len(path) > 1 else ProgramSpec.fields
    if len(path) > 1 + (path[0] in _KEPT) or nearest(name, known) is not None or not isinstance(program, dict):
        return None
    message = f"unknown key {show(name)}" + (f' in "{parent}"' if parent else "")
    entry = catalogue.find("programs", str(program.get("kind")))
    if entry is not None and entry.parameter(name) is not None:
        fix = move(path, (PROGRAM, name)) if name not in program else None
        return Problem("unknown-key", path, message, f'it belongs under "{PROGRAM}"', True, fix=fix)
    word = foreign_word(name)
    meant: list[Path] = [(*section, name) for section in sections_by_key().get(name, ())]
    meant += [word.to] if word is not None and word.to is not None else []
    if meant and not any(is_of(ProgramSpec, place) for place in meant):
        hint = f"what a program needs is an argument of its function, and stands under {PROGRAM}"
        return Problem("unknown-key", path, message, hint, True)
    return None
