"""Merges a spec with the files that its `extends` and `search.use` name into one tree whose values know their file."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from types import MappingProxyType

from craftc.compiler.composing.included_files import (
    IncludedFiles,
    file_called_defaults,
    find_base,
    find_search_space,
)
from craftc.compiler.composing.merge import extend, merge_entries
from craftc.compiler.reading.document import Document, Node
from craftc.compiler.reading.parse import MAX_EXPANDED_NODES
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Diagnostic, Path
from craftc.schemas.spec import DEFAULTS

MAX_CHAIN = 16
"""Files of which each extends the next."""
NO_STAND_INS: Mapping[str, str] = MappingProxyType({})
_EXTENDS: Path = ("extends",)
_USE: Path = ("search", "use")


@dataclass(frozen=True)
class Composed:
    """`texts` are the files that were read, by name, for a diagnostic to show their lines.

    `is_whole` is False where a base is missing: what the spec lacks may stand there. `defaults` is where the ranges of
    the spec's components are asked for, which are known once all else is; `taken_out` are the paths of `none`.
    """

    document: Document
    diagnostics: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True
    defaults: Node | None = None
    taken_out: frozenset[str] = frozenset()


def compose(
    document: Document,
    stand_ins: Mapping[str, str] = NO_STAND_INS,
    roots: Callable[[], Iterable[os.PathLike[str]]] = lambda: (File.cwd(),),
) -> Composed:
    """Put the spec over the bases that it extends, then its ranges over those of the search spaces that it uses.

    `stand_ins` are texts that are read in the place of files, by the files' real paths. `roots` gives the folders in
    which those files may be, as real paths.
    """
    if document.root.entry("extends") is None and document.root.entry("search") is None:
        return Composed(document)
    files = IncludedFiles(stand_ins=stand_ins, roots=tuple(map(os.fspath, roots())))
    root = _over_its_bases(document.root, files, (os.path.realpath(document.filename),))
    is_whole = not any(d.path == "extends" for d in files.diagnostics) and None not in files.trees.values()
    is_whole = is_whole and _are_names(document.root.entry("extends"))
    root = _with_ranges(root, files)
    whole = Document(document.filename, root, files.included, {**files.sources, **document.files})
    defaults = next((named for named in _used(root) if named.value == DEFAULTS), None)
    return Composed(whole, files.diagnostics, files.texts, is_whole, defaults, frozenset(files.taken_out))


def _over_its_bases(root: Node, files: IncludedFiles, chain: tuple[str, ...]) -> Node:
    """A file's tree over those that it extends. `chain` are the files above, itself last."""
    search = root.entry("search")
    files.taken_out |= _taken_out(search.entry("space") if search else None)
    merged: Node | None = None
    for named in _names(root.entry("extends")):
        base = _base(named, files, chain)
        if base is not None:
            merged = base if merged is None else _over(merged, base, named, files)
    extends = root.entry("extends")
    return root if merged is None or extends is None else _over(merged, root, extends, files)


def _base(named: Node, files: IncludedFiles, chain: tuple[str, ...]) -> Node | None:
    """The composed base that a file extends; None where a mistake was already reported for it."""
    if "${env:" in str(named.value):
        return None  # `substitute` reports it: which experiment this is must not differ between machines
    found = _not_itself(named, chain) or find_base(str(named.value), named, files)
    if isinstance(found, Problem):
        files.report(found, named)
        return None
    tree = files.read(found, named, Problem("unknown-base", _EXTENDS, ""), ("spec", "base"))
    if tree is None or tree.entry("extends") is None:
        return tree
    if len(chain) >= MAX_CHAIN:
        message = f"{MAX_CHAIN} files extend each other up to here"
        files.report(Problem("too-many-files", _EXTENDS, message, "extend fewer, or name them in one list"), named)
        return None
    composed = _over_its_bases(tree, files, (*chain, os.path.realpath(found)))
    # Read once, composed once, however many files extend it.
    files.trees[found] = _without_extends(composed)
    return composed


def _not_itself(named: Node, chain: tuple[str, ...]) -> Problem | None:
    folder = os.path.dirname(named.filename)
    if os.path.realpath(os.path.join(folder, str(named.value))) not in chain:
        return None
    first = chain.index(os.path.realpath(os.path.join(folder, str(named.value))))
    way = " -> ".join(os.path.relpath(file, os.path.dirname(chain[first])) for file in (*chain[first:], chain[first]))
    return Problem("extends-cycle", _EXTENDS, f"a file cannot extend itself: {way}", "take one of them out")


def _with_ranges(root: Node, files: IncludedFiles) -> Node:
    search = root.entry("search")
    used: Node | None = None
    for named in _used(root):
        if "${env:" in str(named.value):
            continue
        if named.value == DEFAULTS:
            if (problem := file_called_defaults(named)) is not None:
                files.report(problem, named)
            continue
        found = find_search_space(str(named.value), named, files)
        if isinstance(found, Problem):
            files.report(found, named)
            continue
        tree = files.read(found, named, Problem("unknown-search-space", _USE, ""), ("search space",))
        if tree is not None:
            files.taken_out |= _taken_out(tree)
            used = tree if used is None else merge_entries(used, tree)
    if search is None or used is None:
        return root
    assert isinstance(search.value, dict)
    key, own = search.value.get("space", (search.value["use"][0], None))
    if own is not None and not isinstance(own.value, dict):
        return root  # a mistake, for `validate` to tell
    space = merge_entries(used, own) if own else replace(used, span=key.span, filename=key.filename)
    return root.with_value(("search",), replace(search, value={**search.value, "space": (key, space)}))


def _used(root: Node) -> Iterator[Node]:
    """The names of search spaces."""
    search = root.entry("search")
    return _names(search.entry("use") if search else None)


def _taken_out(space: Node | None) -> set[str]:
    entries = space.value if space is not None and isinstance(space.value, dict) else {}
    return {path for path, (_, value) in entries.items() if value.value == "none"}


def _over(base: Node, over: Node, named: Node, files: IncludedFiles) -> Node:
    merged = extend(base, over)
    if merged.size <= MAX_EXPANDED_NODES:
        return merged
    message = f"the files come to more than {MAX_EXPANDED_NODES:,} values together"
    files.report(Problem("too-many-files", _EXTENDS, message), named)
    return over


def _without_extends(root: Node) -> Node:
    assert isinstance(root.value, dict)
    return replace(root, value={key: entry for key, entry in root.value.items() if key != "extends"})


def _are_names(node: Node | None) -> bool:
    """Whether an `extends` that is there names files, so that what the spec lacks is in none of them."""
    items = node.value if node is not None and isinstance(node.value, list) else [node]
    return node is None or (bool(items) and all(item is not None and isinstance(item.value, str) for item in items))


def _names(node: Node | None) -> Iterator[Node]:
    """The names that a node gives, one or a list; what is none of them is a mistake, for `validate` to tell."""
    for item in node.value if node is not None and isinstance(node.value, list) else [node]:
        if item is not None and isinstance(item.value, str) and item.value:
            yield item
