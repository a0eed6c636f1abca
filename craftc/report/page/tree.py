"""Builds the page as a tree of elements, so that every text and attribute is escaped when it is written."""

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Child = Element | str | None | Iterable["Child"]
"""What may stand within an element; None stands for nothing."""

_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What HTML has no place for."""


def element(tag: str, *children: Child, **attributes: str | int | bool | None) -> Element:
    """An element with its children. `class_` is the attribute "class", `aria_label` is "aria-label"; True is an
    attribute without a value, None and False are none."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            made.set(name.rstrip("_").replace("_", "-"), "" if value is True else clean(str(value)))
    for child in children:
        _append(made, child)
    return made


def _append(parent: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, Element):
        parent.append(child)
    elif not isinstance(child, str):
        for each in child:
            _append(parent, each)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + clean(child)
    else:
        parent.text = (parent.text or "") + clean(child)


def clean(text: str) -> str:
    """The text without control characters and halves of surrogate pairs."""
    return _NO_TEXT.sub("\ufffd", text)


def written(root: Element) -> str:
    """The document as HTML, one section of its body a line."""
    for parent in root.iter():
        if parent.tag in ("head", "main", "tbody"):
            for child in parent:
                child.tail = (child.tail or "") + "\n"
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"
