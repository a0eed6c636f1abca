"""Finds out what a YAML document is: a spec, a search space, a base that specs extend, or none of them."""

from typing import Literal

from craftc.compiler.reading.document import Node
from craftc.schemas.spec import SECTIONS, Spec

FileKind = Literal["spec", "search space", "base"]


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
    sections = [key for key in keys if key in Spec.fields and key not in ("name", "description", "seed")]
    own = [key for key in keys if key in Spec.fields]
    if not sections or 2 * len(own) <= len(keys):
        return None
    return "spec" if "name" in keys else "base"


def _is_factor(key: str) -> bool:
    """Whether a key is a path as a search space has it."""
    section, dot, rest = key.partition(".")
    return bool(dot and rest) and section in SECTIONS
