"""Shows what trials left behind beside their numbers: texts and pictures, bounded in size."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from craftc.report.page.figure import section
from craftc.report.page.tree import element

MOST_BYTES = 100_000
"""Of all pictures and texts together; a picture takes a third more as text."""
MOST_CHARACTERS = 4_000
"""Of one text."""


@dataclass(frozen=True)
class Artefact:
    """A text, or a picture as PNG."""

    title: str
    content: str | bytes


def artefacts(shown: Sequence[Artefact]) -> Element | None:
    """In their order, as long as there is room; of the others how many there are."""
    if not shown:
        return None
    left = MOST_BYTES
    made = []
    for artefact in shown:
        size = _size(artefact)
        if size <= left:
            made.append(_shown(artefact))
            left -= size
    silent = len(shown) - len(made)
    more = f"{silent} more in the store, as craftc report --format json lists them." if silent else None
    panels = element("div", made, class_="panels")
    return section("artefacts", "Artefacts", panels, element("p", more, class_="note") if more else None)


def _size(artefact: Artefact) -> int:
    if isinstance(artefact.content, bytes):
        return len(artefact.content) * 4 // 3
    return len(artefact.content[:MOST_CHARACTERS].encode(errors="replace"))


def _shown(artefact: Artefact) -> Element:
    caption = element("figcaption", artefact.title)
    if isinstance(artefact.content, bytes):
        source = f"data:image/png;base64,{b64encode(artefact.content).decode()}"
        return element("figure", caption, element("img", src=source, alt=artefact.title))
    cut = artefact.content[:MOST_CHARACTERS]
    more = f"\n… {len(artefact.content) - len(cut):,} more characters" if len(cut) < len(artefact.content) else ""
    return element("figure", caption, element("pre", cut, more))
