"""Finds out what a YAML document is: a spec, a search space, a base that specs extend, or none of them."""

import re
from collections.abc import Collection
from typing import Literal

from craftc.compiler.reading.document import Node
from craftc.compiler.reading.nearest import nearest
from craftc.schemas.catalogue import is_own
from craftc.schemas.diagnostic import Diagnostic
from craftc.schemas.language import PROGRAM, SECTIONS, Language

FileKind = Literal["spec", "search space", "base"]
_KEY = re.compile(r"^[{ ]?[\"']?([A-Za-z_][\w.]*)[\"']?[ \t]*:(?:[ \t]|$)", re.MULTILINE)
_VERSION = re.compile(r"^[{ \t\ufeff]*[\"']?craftc\b", re.MULTILINE)
_QUOTING = ("yaml-", "duplicate-key", "key-not-text", "number-out-of-range", "wrong-type")
"""How the codes begin whose messages repeat what stands in the file."""


def file_kind(root: Node) -> FileKind | None:
    """What the keys of a document make of it; None for YAML that has nothing to do with craftc.

    `craftc` makes a spec. A search space maps paths to ranges, a base has sections of a spec. Most keys have to fit,
    so that a misspelt one is reported and hides nothing. A name beside sections makes a spec as well: no spec takes its
    name from a base, and a spec without its version must not be taken for a base.
    """
    if not isinstance(root.value, dict) or not root.value:
        return None
    keys = list(root.value)
    if "craftc" in keys:
        return "spec"
    if 2 * sum(_is_factor(key) for key in keys) > len(keys):
        return "search space"
    # Many YAML files have a name and a description; they alone say nothing.
    own = [key for key in keys if key in Language.fields and (key != PROGRAM or _is_program(root.entry(key)))]
    sections = [key for key in own if key not in ("name", "description", "seed")]
    if not sections or 2 * len(own) <= len(keys):
        return None
    return "spec" if "name" in keys else "base"


def is_foreign(root: Node) -> bool:
    """Whether a document has nothing to do with craftc: most of its keys are none of the language, nor near one."""
    if not isinstance(root.value, dict):
        return not isinstance(root.value, str) or _VERSION.match(root.value) is None
    return _are_foreign(root.value)


def is_foreign_text(text: str) -> bool:
    """The same of a text that cannot be read as YAML, by the keys at the beginning of its lines."""
    return _VERSION.search(text) is None and (_KEY.search(text) is None or _are_foreign(_KEY.findall(text)))


def without_content(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """The mistakes of a file that is no spec: neither its lines nor its words are shown, since it may hold secrets."""
    return [
        found._replace(shows_line=False, hint=None, message=f"{_NO_SPEC}: no section of a spec stands in it")
        if found.code.startswith(_QUOTING)
        else found._replace(shows_line=False)
        for found in diagnostics
    ]


_NO_SPEC = "the file is no spec, and is not shown"


def _are_foreign(keys: Collection[str]) -> bool:
    if "craftc" in keys:
        return False
    own = [
        key for key in keys if key in Language.fields or _is_factor(key) or nearest(key, Language.fields) is not None
    ]
    return 2 * len(own) <= len(keys)


def _is_program(node: Node | None) -> bool:
    """Whether it names a function; files of other tools have programs too, by the names of their files."""
    if node is None or isinstance(node.value, dict):
        return node is not None and node.entry("kind") is not None
    return isinstance(node.value, str) and is_own(node.value)


def _is_factor(key: str) -> bool:
    """Whether a key is a path as a search space has it."""
    section, dot, rest = key.partition(".")
    return bool(dot and rest) and section in SECTIONS
