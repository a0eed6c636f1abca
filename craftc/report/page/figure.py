"""Frames a figure: its title, its drawing, which is named for those that do not see it, and a note below."""

from xml.etree.ElementTree import Element

from craftc.report.page.tree import Child, element


def section(name: str, title: str, *children: Child) -> Element:
    """A section of the page; its title is a heading that links can point to."""
    heading = element("h2", title, id=name)
    return element("section", heading, *children, aria_labelledby=name)


def figure(title: str, drawing: Child, alternative: str, *notes: Child, class_: str = "") -> Element:
    """`alternative` says in words what the drawing shows: with the numbers, where they stand nowhere else."""
    return element(
        "figure",
        element("figcaption", title),
        element("div", drawing, class_=f"drawing {class_}".strip(), role="img", aria_label=alternative),
        [element("p", note, class_="note") for note in notes if note],
    )


def variant_name(name: str) -> list[Child]:
    """A name that may be long, broken behind its commas where it has to be."""
    first, *others = name.split(",")
    pieces: list[Child] = [first]
    for other in others:
        pieces += [",", element("wbr"), other]
    return pieces


def in_numbers(title: str, *children: Child) -> Element:
    """What is folded away until somebody asks for it."""
    return element("details", element("summary", title), *children)


def data_table(caption: str, header: list[str], rows: list[list[str]], *, class_: str = "data") -> Element:
    """A table whose first column names its rows, and whose others are numbers. It scrolls where it is too wide."""
    head = element("thead", element("tr", [element("th", cell, scope="col") for cell in header]))
    body = element(
        "tbody",
        [element("tr", element("th", row[0], scope="row"), [element("td", cell) for cell in row[1:]]) for row in rows],
    )
    return scrolling(caption, element("table", element("caption", caption, class_="unseen"), head, body, class_=class_))


def scrolling(label: str, *children: Child) -> Element:
    """What may be wider than the page, reached by the keyboard."""
    return element("div", *children, class_="scroll", role="region", aria_label=label, tabindex="0")
