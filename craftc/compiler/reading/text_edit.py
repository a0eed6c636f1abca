"""A mend in terms of the tree to edits of the text: a stretch and what takes its place, every other character kept.

The text is cut at the positions of our own tree. ruamel's round-trip loader would write the whole file anew: it evens
out spaces and flow mappings, and gives the comment above a key to the key before it.
"""

import re

from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.flow_text import fits_in_braces, is_plain_text, scalars_in
from craftc.compiler.reading.nearest import surely_meant
from craftc.compiler.reading.text_place import TextPlace, find_place
from craftc.compiler.reading.tree_edit import TreeEdit
from craftc.schemas.diagnostic import Edit, Fix, Position, Range, format_path

INDENT = "  "


def text_fix(document: Document, edit: TreeEdit) -> Fix | None:
    """What is to be done to the text; None where it is written in a way that needs more than that.

    Nothing is done to what several places share by an alias or a merge key.
    """
    place = find_place(document, edit.path)
    if place is None:
        return None
    if edit.action == "move":
        from craftc.compiler.reading.move_edit import move_edits  # by far the longest, and seldom asked for

        edits = move_edits(document, place, edit)
    else:
        edits = _ACTIONS[edit.action](place, edit)
    changing = [each for each in edits if place.file.between(*each.range[1:]) != each.text]
    return Fix(_MESSAGES[edit.action].format(*_words(place, edit)), tuple(edits)) if changing else None


_MESSAGES = {
    "rename": 'call it "{0}"',
    "respell": 'write "{0}"',
    "rewrite": "write {0}",
    "wrap": "put it between {0} and {1}",
    "unwrap": "take it out of the list",
    "split": "put a space behind the colon",
    "move": "move it to {2}",
    "flatten": "write the path as one key",
    "replace": "write {0}",
}


def _words(place: TextPlace, edit: TreeEdit) -> tuple[str, str, str]:
    section = f'"{format_path(edit.to[:-1])}"' if len(edit.to) > 1 else "the top level"
    return edit.text.strip(), edit.after, section


def _rename(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    """A key quoted as it was. Not where the name is taken, or another key may be meant to be it as well."""
    key = place.key
    if key is None or not isinstance(key.value, str) or place.is_named_beside(edit.text):
        return []
    if any(surely_meant(other, [edit.text]) for other in place.beside if other != key.value):
        return []
    written = _same_quotes(place.text_of(key), key.value, edit.text)
    return [] if written is None else [Edit(key_range(key), written)]


def key_range(key: Node) -> Range:
    """The whole text of a scalar."""
    return Range(key.filename, key.start, key.end)


def _respell(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    if not isinstance(place.node.value, str):
        return []
    written = _same_quotes(place.text_of(place.node), place.node.value, edit.text)
    return [] if written is None else [Edit(key_range(place.node), written)]


def _same_quotes(written: str, value: str, name: str) -> str | None:
    """A name written as another text was; None where that is no plain or quoted text on one line."""
    if not is_plain_text(name) or "\n" in written or "\r" in written:
        return None
    if written == value:
        return name
    quote = written[:1]
    return f"{quote}{name}{quote}" if quote in ("'", '"') and written.endswith(quote) else None


def _rewrite(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    is_scalar = not isinstance(place.node.value, dict | list) and not place.is_empty
    if not is_scalar or place.text_of(place.node)[:1] in ("|", ">"):
        return []
    return [Edit(key_range(place.node), edit.text)]


def _wrap(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    node = place.node
    if isinstance(node.value, dict | list) and not node.is_flow:
        return _with_dash(place) if edit.text == "[" and isinstance(node.value, dict) else []
    written = place.text_of(node)
    if place.is_empty or not fits_in_braces(node, written):
        return []
    filename = node.filename
    return [
        Edit(Range(filename, node.start, node.start), edit.text),
        Edit(Range(filename, node.end, node.end), edit.after),
    ]


def _with_dash(place: TextPlace) -> list[Edit]:
    """A mapping in lines becomes the item of a list: a dash before its first line, and all of them further in."""
    node, file = place.node, place.file
    first, column = node.start
    if place.key is None or place.key.end.line == first or file.line(first)[: column - 1].strip(" "):
        return []
    edits = [Edit(Range(node.filename, node.start, node.start), "- ")]
    for number in range(first + 1, place.last_line(node) + 1):
        line = file.line(number)
        if line.strip() and not line.startswith(" " * (column - 1)):
            if line.lstrip().startswith("#"):
                continue
            return []
        start = Position(number, column)
        edits += [Edit(Range(node.filename, start, start), INDENT)] if line.strip() else []
    return edits


def _unwrap(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    node, file = place.node, place.file
    if not isinstance(node.value, list) or len(node.value) != 1:
        return []
    (item,) = node.value
    if not node.is_flow:
        line = file.line(item.start.line)
        # Nothing but the dash stands before it, so that a space in the dash's place leaves all columns as they are.
        if _DASH.fullmatch(line[: item.start.column - 1]) is None or node.start.line != item.start.line:
            return []
        dash = Position(item.start.line, line.index("-") + 1)
        return [Edit(Range(node.filename, dash, Position(dash.line, dash.column + 1)), " ")]
    before, after = file.between(node.start, item.start), file.between(item.end, node.end)
    if not item.is_flow or _OPENING.fullmatch(before) is None or _CLOSING.fullmatch(after) is None:
        return []
    if not place.text_of(item).startswith(("{", "[")):  # a pair such as [a: 1] has no braces of its own
        return []
    return [
        Edit(Range(node.filename, node.start, item.start), ""),
        Edit(Range(node.filename, item.end, node.end), ""),
    ]


_DASH = re.compile(" *- +")
_OPENING = re.compile(r"\[\s*")
_CLOSING = re.compile(r"\s*,?\s*\]")


def _split(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    key = place.key
    if key is None or not isinstance(key.value, str) or not place.is_empty or place.text_of(key) != key.value:
        return []
    name, _, rest = key.value.partition(":")
    if place.is_named_beside(name) or scalars_in(f"{{{name}: {rest}}}") != [name, rest]:
        return []
    behind = Position(key.start.line, key.start.column + len(name) + 1)
    return [Edit(Range(key.filename, behind, behind), " ")]


def _flatten(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    """Of a mapping in braces, all on one line, whose values are no mappings themselves but by other paths."""
    key, node = place.key, place.node
    if key is None or not isinstance(key.value, str) or not isinstance(node.value, dict) or not node.is_flow:
        return []
    parts = _paths_of(place, key.value, node)
    written = place.text_of(key) + place.text_of(node)
    if parts is None or "#" in written or not place.parent.is_flow or any(quote in written for quote in "'\"&*"):
        return []
    return [Edit(Range(key.filename, key.start, node.end), ", ".join(parts))]


def _paths_of(place: TextPlace, prefix: str, node: Node) -> list[str] | None:
    """Each path below a mapping with its value as written; None where one cannot be written so."""
    found: list[str] = []
    for key, (_, value) in node.value.items() if isinstance(node.value, dict) else ():
        path = f"{prefix}.{key}"
        if not is_plain_text(path):
            return None
        if isinstance(value.value, list):
            found.append(f"{path}: {place.text_of(value)}")
        elif isinstance(value.value, dict) and value.is_flow and value.value:
            inner = _paths_of(place, path, value)
            if inner is None:
                return None
            found += inner
        else:
            return None
    return found


def _replace(place: TextPlace, edit: TreeEdit) -> list[Edit]:
    node = place.node
    if place.is_empty or (isinstance(node.value, dict | list) and not node.is_flow):
        return []
    return [] if "#" in place.text_of(node) else [Edit(Range(node.filename, node.start, node.end), edit.text)]


_ACTIONS = {
    "rename": _rename,
    "respell": _respell,
    "rewrite": _rewrite,
    "wrap": _wrap,
    "unwrap": _unwrap,
    "split": _split,
    "flatten": _flatten,
    "replace": _replace,
}
