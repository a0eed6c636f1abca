"""The text of a spec of an older version of the language in; the same in this version, and what was done, out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from craftc.compiler.reading.document import Document
from craftc.compiler.reading.parse import parse
from craftc.compiler.reading.problem import Problem, show
from craftc.compiler.reading.tree import copy_tree, look_up
from craftc.compiler.versions.migration import Change, Migration, Move, Remove, Replace
from craftc.compiler.versions.migrations import MIGRATIONS
from craftc.compiler.versions.text_edit import EditError, Text, move, remove, rename, replace
from craftc.compiler.versions.version import check_version
from craftc.schemas.diagnostic import Diagnostic, Path, format_path, parse_path


@dataclass(frozen=True)
class Migrated:
    """`steps` are the descriptions of the migrations that changed the text; diagnostics say why it stayed as it was."""

    text: str
    steps: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    version: int | None = field(default=None)


def migrate(
    text: str, filename: str, version: int | None = None, migrations: tuple[Migration, ...] = MIGRATIONS
) -> Migrated:
    """Bring a text up to this version. `version` is that of a file that says none, as a base or a search space."""
    document, diagnostics = parse(text, filename)
    if document is None or diagnostics:
        return Migrated(text, diagnostics=tuple(diagnostics))
    if not isinstance(document.root.value, dict):
        problem = Problem("wrong-type", (), f"a spec is a mapping, not {show(document.root.plain())}")
        return Migrated(text, diagnostics=(problem.place(document),))
    says = document.root.value["craftc"][1].value if "craftc" in document.root.value else version
    if not isinstance(says, int) or isinstance(says, bool):
        refused = check_version(document, migrations) or Problem(
            "wrong-type", ("craftc",), f'"craftc" is {show(says)}; expected a whole number'
        ).place(document)
        return Migrated(text, diagnostics=(refused,))
    ahead = [migration for migration in migrations if migration.from_version >= says]
    if not ahead or ahead[0].from_version != says:
        refusal = check_version(document, migrations) if "craftc" in document.root.value else None
        return Migrated(text, diagnostics=(refusal,) if refusal else (), version=says)
    return _apply(text, document, says, ahead)


def _apply(text: str, document: Document, version: int, migrations: list[Migration]) -> Migrated:
    done = []
    changed = text
    for migration in migrations:
        before = changed
        tree = Text(changed).document.root.plain()
        changes = list(migration.changes(tree))
        if "craftc" in tree:
            changes.append(Replace(("craftc",), str(migration.from_version + 1)))
        for change in changes:
            try:
                changed = _change(changed, change)
            except EditError as error:
                message = f'version {migration.from_version + 1} has another form for "{format_path(change.path)}"'
                hint = f"change it by hand ({error}): {migration.description}"
                problem = Problem("not-migrated", change.path, message, hint, at_key=True)
                return Migrated(text, diagnostics=(problem.place(document),), version=version)
        if changed != before:
            done.append(migration.description)
    return Migrated(changed, tuple(done), version=version)


def _change(text: str, change: Change) -> str:
    """The text with one change, made sure of by its values."""
    tree = Text(text).document.root.plain()
    expected = copy_tree(tree)
    if not _has(tree, change.path):
        return _rewrite_paths(text, change) if isinstance(change, Move) else text
    match change:
        case Move(path, to):
            if _has(tree, to):
                raise EditError(f"{format_path(to)} is there already")
            _put(expected, to, look_up(expected, path))
            _take(expected, path)
            changed = move(text, path, to)
        case Replace(path, written):
            document, _ = parse(written, "")
            _put(expected, path, None if document is None else document.root.plain())
            changed = replace(text, path, written)
        case Remove(path):
            _take(expected, path)
            changed = remove(text, path)
    if Text(changed).document.root.plain() != expected:
        raise EditError("its text is used in several places")
    return _rewrite_paths(changed, change) if isinstance(change, Move) else changed


def _has(tree: Any, path: Path) -> bool:
    try:
        look_up(tree, path)
    except KeyError:
        return False
    return True


def _take(tree: dict[str, Any], path: Path) -> Any:
    """Remove a value, and the mappings that held nothing else."""
    parent = look_up(tree, path[:-1])
    value = parent.pop(path[-1])
    if not parent and len(path) > 1:
        _take(tree, path[:-1])
    return value


def _put(tree: dict[str, Any], path: Path, value: Any) -> None:
    section: Any = tree
    for part in path[:-1]:
        if isinstance(section, dict) and isinstance(section.get(str(part)), str):
            section[str(part)] = {"kind": section[str(part)]}
        section = section.setdefault(part, {}) if isinstance(section, dict) else look_up(section, (part,))
    if not isinstance(section, dict):
        raise EditError(f"{format_path(path[:-1])} is no mapping")
    section[path[-1]] = value


def _rewrite_paths(text: str, change: Move) -> str:
    """Follow a move where the spec varies, searches or asks for what moved."""
    old, new = format_path(change.path), format_path(change.to)
    for place in list(_path_keys(Text(text).document.root.plain())):
        path = parse_path(str(place[-1]))
        if path[: len(change.path)] == change.path:
            text = rename(text, place, new + str(place[-1])[len(old) :])
    given = Text(text)
    tree = given.document.root.plain()
    rules = tree.get("ablation", {}).get("require", []) if isinstance(tree.get("ablation"), dict) else []
    for index in reversed(range(len(rules) if isinstance(rules, list) else 0)):
        if isinstance(rules[index], str) and _named(old).search(rules[index]):
            where = given.document.locate(("ablation", "require", index))
            start, end = given.offset(where.start), given.offset(where.end)
            text = text[:start] + _named(old).sub(new, text[start:end]) + text[end:]
    return text


def _named(path: str) -> re.Pattern[str]:
    """A path in an expression, by itself or with more after it."""
    return re.compile(rf"(?<![\w.]){re.escape(path)}(?![\w])")


def _path_keys(tree: dict[str, Any]) -> Iterator[Path]:
    """Every key of a spec, or of a search space by itself, that is a path."""
    ablation, search = tree.get("ablation"), tree.get("search")
    places: list[Path] = [("search", "space")] if isinstance(search, dict) else []
    if isinstance(ablation, dict):
        places += [("ablation", "grid"), ("ablation", "zip")]
        features, exclude = ablation.get("features"), ablation.get("exclude")
        places += [("ablation", "features", name) for name in features] if isinstance(features, dict) else []
        places += [("ablation", "exclude", i) for i in range(len(exclude))] if isinstance(exclude, list) else []
    for place in [(), *places]:
        section = look_up(tree, place) if _has(tree, place) else None
        yield from ((*place, key) for key in section if "." in key) if isinstance(section, dict) else ()
