"""A spec whose search names a file of ranges in; the same tree with those ranges in `search.space` out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from craftc.compiler.document import Document, Node
from craftc.compiler.parse import parse
from craftc.compiler.problem import Problem, did_you_mean, one_of, show
from craftc.schemas.diagnostic import Diagnostic

FOLDER = "search_spaces"
SUFFIX = ".yaml"
_USE = ("search", "use")


@dataclass(frozen=True)
class Grafted:
    """`texts` are the files that were read, by name, for a diagnostic to show their lines."""

    document: Document
    diagnostics: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def graft(document: Document) -> Grafted:
    """Follow `search.use`. A path that the spec's own `search.space` has too stays the spec's."""
    search = _entry(document.root, "search")
    use = _entry(search, "use") if search else None
    if search is None or use is None or not isinstance(use.value, str) or not use.value:
        return Grafted(document)
    found = _find(use.value, Path(document.filename).parent)
    if isinstance(found, Problem):
        return Grafted(document, [found.place(document)])
    try:
        text = found.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(
            "unknown-search-space", _USE, f"cannot read {found}: {getattr(error, 'strerror', 'not UTF-8 text')}"
        )
        return Grafted(document, [problem.place(document)])
    fragment, diagnostics = parse(text, str(found))
    if fragment is not None and not isinstance(fragment.root.value, dict):
        message = f"a search space is a mapping of path to range, not {show(fragment.root.plain())}"
        diagnostics.append(fragment.diagnose("wrong-type", (), message))
    if fragment is None or not isinstance(fragment.root.value, dict):
        return Grafted(document, diagnostics, {str(found): text})
    return Grafted(_with_space(document, search, fragment), diagnostics, {str(found): text})


def _with_space(document: Document, search: Node, fragment: Document) -> Document:
    assert isinstance(search.value, dict)
    assert isinstance(fragment.root.value, dict)
    key, own = search.value.get("space", (search.value["use"][0], None))
    if own is not None and not isinstance(own.value, dict):
        return document  # a mistake, for `validate` to tell
    written = own.value if own is not None and isinstance(own.value, dict) else {}
    added = {path: entry for path, entry in fragment.root.value.items() if path not in written}
    space = Node({**added, **written}, key.start, key.end, key.filename)
    inner = Node({**search.value, "space": (key, space)}, search.start, search.end, search.filename)
    assert isinstance(document.root.value, dict)
    root = Node(
        {**document.root.value, "search": (document.root.value["search"][0], inner)},
        document.root.start,
        document.root.end,
        document.root.filename,
    )
    return Document(document.filename, root, {fragment.filename: document.locate(_USE)})


def _entry(node: Node, key: str) -> Node | None:
    return node.value[key][1] if isinstance(node.value, dict) and key in node.value else None


def _find(name: str, folder: Path) -> Path | Problem:
    if "/" in name or name.endswith(SUFFIX):
        path = folder / name
        if path.is_file():
            return path
        return Problem(
            "unknown-search-space", _USE, f"there is no file {path}", "the path starts from the spec's folder"
        )
    folders = list(_folders(folder))
    for candidate in folders:
        if (candidate / f"{name}{SUFFIX}").is_file():
            return candidate / f"{name}{SUFFIX}"
    if not folders:
        message = f'there is no folder "{FOLDER}" in the spec\'s folder or above it to find {show(name)} in'
        return Problem("unknown-search-space", _USE, message)
    known = sorted(path.stem for candidate in folders for path in candidate.glob(f"*{SUFFIX}"))
    hint = did_you_mean(name, known) or f"known are {one_of(known)}"
    return Problem("unknown-search-space", _USE, f'there is no "{name}{SUFFIX}" in {one_of(map(str, folders))}', hint)


def _folders(folder: Path) -> Iterator[Path]:
    """Every `search_spaces` from the folder upwards, named as the folder is: relative where that is."""
    for level in range(len(folder.resolve().parts)):
        candidate = Path(os.path.normpath(folder.joinpath(*[os.pardir] * level, FOLDER)))
        if candidate.is_dir():
            yield candidate
