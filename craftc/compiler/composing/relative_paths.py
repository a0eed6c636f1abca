"""Makes relative paths in included files start from the folder of the spec."""

import os
from dataclasses import replace

from craftc.compiler.composing.text_values import text_values
from craftc.compiler.reading.document import Document
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import Path


def resolve_relative_paths(document: Document, catalogue: Catalogue) -> Document:
    """The document in which every relative path starts from the folder of the spec."""
    folder = os.path.dirname(document.filename)
    elsewhere = {name for name in document.included if os.path.dirname(name) != folder}
    if not elsewhere:
        return document
    root = document.root
    for text in text_values(document.root, catalogue, lambda node, _: node.filename in elsewhere):
        if text.mark == "path" and not os.path.isabs(str(text.node.value)):
            way = os.path.relpath(os.path.dirname(text.node.filename) or ".", folder or ".")
            value = os.path.normpath(os.path.join(way, str(text.node.value)))
            root = root.with_value(text.place, replace(text.node, value=value))
    return replace(document, root=root)


def absolute_paths(document: Document, catalogue: Catalogue) -> dict[Path, str]:
    """The absolute form of every path in a document that has been rebased, by its place."""
    folder = os.path.dirname(document.filename)
    found = text_values(document.root, catalogue, lambda node, _: True)
    return {t.place: os.path.abspath(os.path.join(folder, str(t.node.value))) for t in found if t.mark == "path"}
