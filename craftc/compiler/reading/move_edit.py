"""A key in the wrong section to edits that take it out there and put it into the right one, comments with it."""

import re
from typing import NamedTuple

from craftc.compiler.reading.document import Document, Node, SourceFile, Span
from craftc.compiler.reading.flow_text import fits_in_braces
from craftc.compiler.reading.text_place import TextPlace, last_line
from craftc.compiler.reading.tree_edit import TreeEdit
from craftc.schemas.diagnostic import Edit, Path, Position, Range

_COLON = re.compile(r"\s*:\s*")


class _Entry(NamedTuple):
    """A key with its value, as text. `lines` are the lines of a block that are its own, None of one in braces; `pair`
    is the same on one line, None where it takes several or has a comment."""

    name: str
    edit: Edit
    lines: tuple[str, ...] | None
    column: int
    pair: str | None


def move_edits(document: Document, place: TextPlace, edit: TreeEdit) -> list[Edit]:
    """Take the entry out at its place and put it last into the section that `edit.to` names; nothing where something
    stands there, or where the section that it leaves would be empty."""
    if place.key is None or place.is_empty or place.path != edit.path or edit.to[: len(edit.path)] == edit.path:
        return []
    if len(_own_entries(place.parent)) < 2:
        return []
    if not _is_free(document.root, edit):
        return []
    entry = _entry_in_braces(place) if place.parent.is_flow else _entry_of_lines(place)
    if entry is None:
        return []
    put = _put(place.file, _renamed(entry, place, str(edit.to[-1])), edit)
    return [] if put is None else sorted([entry.edit, put], key=lambda each: each.range[1:])


def _renamed(entry: _Entry, place: TextPlace, name: str) -> _Entry:
    """The entry under the name that its key has in the other section."""
    assert place.key is not None
    if name == entry.name:
        return entry
    written, column = place.text_of(place.key), place.key.start.column
    pair = None if entry.pair is None else f"{name}{entry.pair.removeprefix(written)}"
    lines = entry.lines
    if lines is not None:
        at = next(i for i, line in enumerate(lines) if line.startswith(written, column - 1))
        renamed = f"{lines[at][: column - 1]}{name}{lines[at][column - 1 + len(written) :]}"
        lines = (*lines[:at], renamed, *lines[at + 1 :])
    return entry._replace(name=name, pair=pair, lines=lines)


def _own_entries(mapping: Node) -> list[tuple[Node, Node]]:
    """Those that are written in it, and not merged in."""
    entries = mapping.value.values() if isinstance(mapping.value, dict) else ()
    return [entry for entry in entries if _holds(mapping.span, entry[0])]


def _is_free(root: Node, edit: TreeEdit) -> bool:
    """Whether the section has no such key, in whichever file, and is one that takes it."""
    section: Node | None = root
    for part in edit.to[:-1]:
        section = section.entry(str(part)) if section is not None else None
    if section is None:
        return edit.creates
    if edit.kinds:
        kind = section.entry("kind")
        named = kind.value if kind is not None else section.value
        return named in edit.kinds and section.entry(str(edit.to[-1])) is None if isinstance(named, str) else False
    return isinstance(section.value, dict) and edit.to[-1] not in section.value


def _entry_in_braces(place: TextPlace) -> _Entry | None:
    """Cut it up to the next one, or from the end of the one before it."""
    assert place.key is not None
    file, key, node = place.file, place.key, place.node
    entries = _own_entries(place.parent)
    index = next((i for i, (other, _) in enumerate(entries) if other is key), -1)
    if index < 0:
        return None
    start, end = key.start, node.end
    if index + 1 < len(entries):
        end = entries[index + 1][0].start
    else:
        before, value = entries[index - 1]
        if value.span == before.span or value.end > key.start:  # nothing is written there, or it is an alias
            return None
        start = value.end
    cut = file.between(start, end)
    if end < start or "#" in cut.replace(place.text_of(node), "") or "\n" in place.text_of(node):
        return None
    pair = _pair(place)
    if pair is None or not _is_cut(file.between(start, key.start), file.between(node.end, end)):
        return None
    return _Entry(str(key.value), Edit(Range(key.filename, start, end), ""), None, 0, pair)


def _is_cut(before: str, after: str) -> bool:
    """Whether nothing but a comma stands around an entry in what is cut with it."""
    return before.strip() in ("", ",") and after.strip() in ("", ",")


def _pair(place: TextPlace) -> str | None:
    assert place.key is not None
    written, key = place.text_of(place.node), place.text_of(place.key)
    between = place.file.between(place.key.end, place.node.start)
    if "\n" in key + between + written or _COLON.fullmatch(between) is None or key[:1] in ("?", "*", "&"):
        return None
    return f"{key}: {written}" if fits_in_braces(place.node, written) else None


def _entry_of_lines(place: TextPlace) -> _Entry | None:
    """All its lines, comments right above it among them."""
    assert place.key is not None
    file, key = place.file, place.key
    first, column = key.start
    if file.line(first)[: column - 1].strip(" ") or place.text_of(key)[:1] in ("?", "*", "&"):
        return None  # it begins behind a dash or a bracket
    last = last_line(file, place.node)
    between = file.between(key.end, place.node.start)
    if _COLON.fullmatch(re.sub(r"#.*", "", between)) is None:
        return None  # an anchor stands there
    while first > 1 and _is_comment(file.line(first - 1), column):
        first -= 1
    lines = tuple(file.line(number).rstrip("\r\n") for number in range(first, last + 1))
    if any(line.strip() and line[: column - 1].strip(" ") for line in lines):
        return None
    end = Position(last + 1, 1)
    if last == len(file.starts):
        end = Position(last, len(file.line(last)) + 1)
    is_alone = first == last and "#" not in file.line(last)[place.node.end.column - 1 :]
    cut = Edit(Range(key.filename, Position(first, 1), end), "")
    return _Entry(str(key.value), cut, lines, column, _pair(place) if is_alone else None)


def _is_comment(line: str, column: int) -> bool:
    """Whether a line is a comment about the key below it, which begins in the same column."""
    return line.startswith("#", column - 1) and not line[: column - 1].strip() and "yaml-language-server" not in line


def _put(file: SourceFile, entry: _Entry, edit: TreeEdit) -> Edit | None:
    """The text of the entry where it belongs; in a file that lacks the section, at its end."""
    filename = entry.edit.range.filename
    section: Node | None = file.root
    for part in edit.to[:-1]:
        section = section.entry(str(part)) if section is not None else None
    if section is None:
        return _new_section(file, entry, edit.to) if len(edit.to) == 2 and edit.creates else None
    if isinstance(section.value, str) and entry.pair is not None:
        # A component that is written by its name alone.
        name = file.between(section.start, section.end)
        if section.span in file.aliased or not fits_in_braces(section, name):
            return None
        return Edit(Range(filename, section.start, section.end), f"{{kind: {name}, {entry.pair}}}")
    if not isinstance(section.value, dict) or any(_holds(aliased, section) for aliased in file.aliased):
        return None
    if not section.value:
        inside = Position(section.start.line, section.start.column + 1)
        return Edit(Range(filename, inside, inside), entry.pair) if entry.pair is not None and section.is_flow else None
    if not section.is_flow:
        return _lines_after(file, entry, section, section.start.column)
    if not (own := _own_entries(section)):
        return None
    key, value = own[-1]
    if entry.pair is None or value.span == key.span or entry.edit.range.start == value.end:
        return None
    return Edit(Range(filename, value.end, value.end), f", {entry.pair}")


def _holds(outer: Span, node: Node) -> bool:
    return outer[:2] <= node.span[:2] and node.span[2:] <= outer[2:]


def _new_section(file: SourceFile, entry: _Entry, to: Path) -> Edit | None:
    if file.root.is_flow or not isinstance(file.root.value, dict):
        return None
    heading = f"{to[0]}:"
    if entry.pair is not None:
        return _inserted(file, entry, file.root, [f"{heading} {{{entry.pair}}}"])
    if entry.lines is None:
        return None
    lines = _indented(entry, 3)
    return None if lines is None else _inserted(file, entry, file.root, [heading, *lines])


def _lines_after(file: SourceFile, entry: _Entry, section: Node, column: int) -> Edit | None:
    if entry.lines is None:
        lines: list[str] | None = [f"{' ' * (column - 1)}{entry.pair}"]
    else:
        lines = _indented(entry, column)
    return None if lines is None else _inserted(file, entry, section, lines)


def _indented(entry: _Entry, column: int) -> list[str] | None:
    """The lines of an entry as those of a key in another column."""
    assert entry.lines is not None
    return [" " * (column - 1) + line[entry.column - 1 :] if line.strip() else line for line in entry.lines]


def _inserted(file: SourceFile, entry: _Entry, section: Node, lines: list[str]) -> Edit:
    """Behind the last line of a section. A file that does not end with a line break still does not."""
    last = last_line(file, section)
    text = "".join(f"{line}\n" for line in lines)
    start = Position(last + 1, 1)
    if last == len(file.starts):
        start = Position(last, len(file.line(last)) + 1)
        is_cut = entry.edit.range.end == start  # what stood there last is what is moved
        text = text.rstrip("\n") if is_cut else f"\n{text.rstrip(chr(10))}"
    return Edit(Range(entry.edit.range.filename, start, start), text)
