"""Write a variant's settings into a tree, as its user would have written them, and report those that cannot be."""

from functools import lru_cache
from typing import Any

from craftc.compiler.language.removals import is_removal
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.nearest import surely_meant
from craftc.compiler.reading.parse import MAX_DEPTH
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of
from craftc.compiler.reading.tree import copy_tree, look_up, paths_to, set_path
from craftc.compiler.reading.tree_edit import rename
from craftc.compiler.variants.variant import Setting, Variant
from craftc.schemas.diagnostic import Path, format_path, parse_path
from craftc.schemas.language import SECTIONS, Language
from craftc.schemas.section import Section, as_tree
from craftc.schemas.spec import Component


def apply_settings(written: dict[str, Any], variant: Variant, complete: dict[str, Any]) -> tuple[Problem, ...]:
    """Set what the variant sets, in place. `complete` is the spec with its defaults."""
    # The widest first, so that `model` and `model.dropout` can be set together in whatever order they are written.
    unsettable: list[Problem] = []
    for setting in sorted(variant.settings, key=lambda setting: len(setting.target)):
        problem = _not_settable(setting, complete)
        if problem is None:
            _write_defaults(written, setting.target, complete)
            if not set_path(written, setting.target, as_component(setting.target, copy_tree(setting.value))):
                problem = Problem("unknown-factor", setting.target, f'there is no "{setting.path}" to set')
        if problem is not None:
            unsettable.append(problem)
    return tuple(unsettable)


def _write_defaults(written: dict[str, Any], target: Path, complete: dict[str, Any]) -> None:
    """Write out what is left to its default as a whole where a path leads into it: a list, as in
    `training.optimizer.betas.0`, or a section that needs some of its keys, as in `data.splits.seed`."""
    for path, section in _whole_defaults().items():
        if target[: len(path)] == path != target and not _is_there(written, path):
            set_path(written, path, copy_tree(section))
    for length in (i for i, part in enumerate(target) if isinstance(part, int)):
        try:
            default = look_up(complete, target[:length])
        except KeyError:
            return
        if isinstance(default, list) and not _is_there(written, target[:length]):
            set_path(written, target[:length], copy_tree(default))


@lru_cache(maxsize=1)
def _whole_defaults() -> dict[Path, dict[str, Any]]:
    """Of what can be varied, the sections that need some of their keys where any is written, and can be left out."""
    found: dict[Path, dict[str, Any]] = {}

    def walk(section: type[Section], prefix: Path) -> None:
        for name, field in section.fields.items():
            if not prefix and name not in SECTIONS:
                continue
            inner = [each for each in field.sections if not issubclass(each, Component)]
            default = None if field.is_required else field.make_default()
            if isinstance(default, Section) and type(default) in inner and _needs_keys(default):
                found[*prefix, name] = as_tree(default, given_only=True)
            for each in inner:
                walk(each, (*prefix, name))

    walk(Language, ())
    return found


def _needs_keys(section: Section) -> bool:
    return any(key.is_required for key in section.fields.values())


def _is_there(tree: dict[str, Any], path: Path) -> bool:
    try:
        look_up(tree, path)
    except KeyError:
        return False
    return True


def _not_settable(setting: Setting, complete: dict[str, Any]) -> Problem | None:
    """Only what decides a result can be varied."""
    section = setting.target[0]
    if len(setting.target) > MAX_DEPTH:
        message = f"this path is {len(setting.target):,} keys long; no spec is that deep"
        return Problem("unknown-factor", setting.target, message)
    own = [name for name in SECTIONS if name in complete]
    if section in own:
        return _nothing_to_take_away(setting, complete)
    meant: str | None = None
    if section in complete:
        message = f'"{setting.path}" cannot be varied: it makes no other experiment'
        hint = "ablation.seeds says how many replicates there are" if section == "seed" else None
    else:
        message = f'there is no "{setting.path}" to set'
        if (meant := _whole_path(setting.path, complete)) is not None:
            return Problem("unknown-factor", setting.target, message, f"write {meant}", fix=rename((section,), meant))
        hint = did_you_mean(str(section), own) or f"a path begins with {one_of(sorted(own))}"
        meant = surely_meant(str(section), complete)
    fix = rename((section,), meant) if meant in own else None
    return Problem("unknown-factor", setting.target, message, hint, fix=fix)


def _nothing_to_take_away(setting: Setting, complete: dict[str, Any]) -> Problem | None:
    """What `none` takes away of a mapping whose keys are the user's is in it. Of what is taken out of a model, `none`
    takes nothing out: a value among others."""
    *above, name = setting.target
    if setting.value != "none" or tuple(above) not in _user_mappings() or is_removal(setting.target):
        return None
    try:
        known = look_up(complete, tuple(above))
    except KeyError:
        return None
    if not isinstance(known, dict) or name in known:
        return None
    message = f'there is no "{setting.path}" to take away'
    hint = did_you_mean(str(name), known) or (f"there are {one_of(known)}" if known else None)
    return Problem("unknown-factor", setting.target, message, hint)


@lru_cache(maxsize=1)
def _user_mappings() -> frozenset[Path]:
    """Of what can be varied, the mappings of sections whose keys are the user's."""
    return frozenset(
        (name, key)
        for name, section in SECTIONS.items()
        for key, field in section.fields.items()
        if field.is_mapping and field.sections
    )


def _whole_path(path: str, complete: dict[str, Any]) -> str | None:
    """The path that is meant by one key alone, which stands in one place or is so called elsewhere, or by one that is
    joined in another way."""
    sections = {name: complete[name] for name in SECTIONS if name in complete}
    dotted = path.replace("/", ".").replace("__", ".")
    if dotted != path and _is_there(sections, parse_path(dotted)):
        return dotted
    if "." in path:
        return None
    from craftc.compiler.language.foreign_words import foreign_word  # seldom

    found = paths_to(sections, path)
    if not found and (word := foreign_word(path)) is not None and word.hint is None and word.to is not None:
        found = [word.to] if _is_there(sections, word.to) else paths_to(sections, str(word.to[-1]))
    return format_path(found[0]) if len(found) == 1 else None
