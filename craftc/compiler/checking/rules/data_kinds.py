"""The kinds of data that a source gives and those that components take -> what cannot work with it.

Linting asks it of what sources declare, a run, before it trains, of the data itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from craftc.compiler.language.declared_words import kinds_in_words
from craftc.compiler.reading.problem import Problem, one_of
from craftc.schemas.catalogue import DATA_KINDS, Catalogue, ComponentEntry, DataKind
from craftc.schemas.diagnostic import Path
from craftc.schemas.spec import Spec

SOURCE: Path = ("data", "source")
SOURCE_KIND: Path = (*SOURCE, "kind")
LAYOUT: Path = ("data", "layout")
SOURCE_LAYOUT = "source"
"""The default of `data.layout`."""

Kinds = tuple[DataKind, ...]


class Named(NamedTuple):
    """A component by its group, the place of its kind, and the kind. `is_laid_out`: whether it is given samples as
    `data.layout` has them, and not as the source gives them."""

    group: str
    path: Path
    kind: str
    is_laid_out: bool = False


class Given(NamedTuple):
    """The kinds of data that a source may give, and those that `data.layout` makes of them."""

    source: str
    kinds: Kinds
    laid_out: Kinds


def layout_of(spec: Spec, catalogue: Catalogue) -> str:
    """What a model is given samples in: what `data.layout` says, or else what the model, or a backbone in it, declares.

    One that gets its features from a backbone is given what that takes.
    """
    if spec.data.layout != SOURCE_LAYOUT:
        return spec.data.layout
    parts, kind = catalogue.frozen_parts(spec.model.kind), spec.model.kind
    backbone = None if parts is None else spec.model.args.get(parts.backbone)
    entry = catalogue.find("models", str(backbone.get("kind")) if isinstance(backbone, dict) else kind)
    return SOURCE_LAYOUT if entry is None or entry.data_layout is None else entry.data_layout


def taken(entry: ComponentEntry) -> Kinds:
    """The kinds of data that a component takes; empty: any. What is given an axis of channels takes images."""
    return entry.takes or (("images",) if entry.data_layout == "channels" else ())


def given(source: str, kinds: Kinds, layout: str) -> Given:
    """What components are given of a source."""
    if layout != "flat":
        return Given(source, kinds, kinds)
    flat = ["table" if kind == "images" else kind for kind in kinds]
    return Given(source, kinds, tuple(kind for kind in DATA_KINDS if kind in flat))


def given_kinds(source: str, catalogue: Catalogue) -> Kinds:
    """The kinds of data that a source declares; all where it declares none."""
    entry = catalogue.find("sources", source)
    return (entry.gives if entry else ()) or DATA_KINDS


def gives_text(source: str, catalogue: Catalogue) -> bool:
    """Whether a source is known to give text, and nothing else."""
    return given_kinds(source, catalogue) == ("text",)


def misfits(components: Iterable[Named], data: Given, catalogue: Catalogue) -> Iterator[Problem]:
    """Which of the components take nothing of what they are given."""
    for component in components:
        entry = catalogue.find(component.group, component.kind)
        kinds = data.laid_out if component.is_laid_out else data.kinds
        if entry is None or not (takes := taken(entry)) or set(takes) & set(kinds):
            continue
        if set(takes) & set(data.kinds):
            problem = _of_the_layout(component, takes, catalogue)
        else:
            problem = _of_the_source(component, takes, data, catalogue)
        yield replace(problem, related=entry.definition())


def _of_the_source(component: Named, takes: Kinds, data: Given, catalogue: Catalogue) -> Problem:
    found = f"{data.source} gives {kinds_in_words(data.kinds)}"
    reads = (component.path, SOURCE_KIND)
    if data.kinds == ("text",) and "table" in takes:
        message, hint = _unfit_for_text(component, found, catalogue)
        return Problem("unfit-for-text", component.path, message, hint, reads=reads)
    message, hint = f"{component.kind} needs {kinds_in_words(takes)}, and {found}", None
    if takes == ("text",):
        sources = [entry.kind for entry in catalogue.entries if entry.group == "sources" and entry.gives == ("text",)]
        hint = f"sources of text are {_listed(sources)}"
    elif "table" in takes and component.is_laid_out:
        hint = "data.layout: flat makes rows of a table of images"
    return Problem(_code(takes), component.path, message, hint, reads=reads)


def _of_the_layout(component: Named, takes: Kinds, catalogue: Catalogue) -> Problem:
    message = f"{component.kind} needs {kinds_in_words(takes)}, and data.layout flat makes flat vectors of them"
    models = [entry for entry in catalogue.entries if entry.group == "models" and entry.frozen_parts is None]
    either = _listed(entry.kind for entry in models if {"images", "table"} <= set(entry.takes))
    hint = f"leave data.layout out: {either} take images as they are"
    if component.group == "augmentations":
        hint = "leave when out: it then works on samples as the source gives them"
    return Problem(_code(takes), component.path, message, hint, reads=(component.path, LAYOUT))


def _code(takes: Kinds) -> str:
    if "images" in takes:
        return "needs-images"
    return "data-mismatch" if "table" in takes else "needs-text"


def _unfit_for_text(component: Named, found: str, catalogue: Catalogue) -> tuple[str, str | None]:
    """The message and hint for what computes with numbers and is given tokens."""
    kind, group = component.kind, component.group
    fitting = [entry.kind for entry in catalogue.entries if entry.group == group and _takes_text(entry)]
    if group in ("metrics", "objectives"):
        hint = f"{_listed(fitting)} measure a language model" if fitting else None
        return f"{kind} takes no text, and {found}, in which every token is a class", hint
    hint = f"use {one_of(fitting)}, or a model of your own that embeds tokens" if group == "models" else None
    return f"{kind} computes with numbers, and {found}, whose tokens are no quantities", hint


def _takes_text(entry: ComponentEntry) -> bool:
    takes_tokens = not entry.takes_targets or "token" in entry.takes_targets
    return takes_tokens and (not entry.takes or "text" in entry.takes)


def _listed(names: Iterable[str]) -> str:
    return one_of(names).replace(" or ", " and ")
