"""Writes the report of a run as one HTML file, which needs no other file and no network."""

from importlib.resources import files
from xml.etree.ElementTree import Element

from craftc.report.page.artefacts import artefacts
from craftc.report.page.content import PageContent
from craftc.report.page.curves import curves
from craftc.report.page.failures import failures
from craftc.report.page.forest import forest
from craftc.report.page.grids import grids
from craftc.report.page.head import findings, head, hypotheses
from craftc.report.page.reproduction import reproduction
from craftc.report.page.searches import searches
from craftc.report.page.tree import element, written
from craftc.report.page.variants import variants

THEMES = (("auto", "System"), ("light", "Light"), ("dark", "Dark"))


def render_page(content: PageContent) -> str:
    """The document. The same content gives the same text; it stays below 400 kB, whatever the run's size."""
    sections = [
        findings(content.conclusion),
        hypotheses(content.conclusion),
        variants(content),
        forest(content),
        grids(content),
        searches(content),
        curves(content),
        artefacts(content.artefacts),
        failures(content),
        reproduction(content),
    ]
    shown = [section for section in sections if section is not None]
    body = element(
        "body",
        element("div", _contents(shown), _themes(), class_="bar"),
        element("main", head(content), shown),
        element("script", _file("page.js")),
    )
    return written(element("html", _head(content), body, lang="en"))


def _head(content: PageContent) -> Element:
    title = f"{content.conclusion.name}: {content.run.rpartition('/')[2]}"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="data:,"),  # else a browser asks the network for one
        element("style", _file("page.css")),
    )


def _contents(sections: list[Element]) -> Element:
    headings = [heading for section in sections if (heading := section.find("h2")) is not None]
    links = [element("a", heading.text, href=f"#{heading.get('id')}") for heading in headings]
    return element("nav", links, aria_label="Sections")


def _themes() -> Element:
    """A choice that the style sheet reads, so that it needs neither script nor storage."""
    options = [
        element(
            "label", element("input", type="radio", name="theme", id=f"theme-{name}", checked=name == "auto"), label
        )
        for name, label in THEMES
    ]
    return element("fieldset", element("legend", "Colours"), options, class_="themes")


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
