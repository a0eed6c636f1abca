"""The files that `craftc lint` is given to what is wrong with them."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from craftc.cli.inputs.lint_sources import Source
from craftc.compiler.analyse import Analysis, analyse
from craftc.compiler.composing.compose import NO_STAND_INS
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.schemas.diagnostic import Diagnostic, Range


@dataclass
class Linted:
    """What has been found so far.

    `num_files` counts by what a file is; `texts` are contents by name; `others` are files that are none of craftc's.
    """

    num_files: Counter[str] = field(default_factory=Counter)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def lint_files(given: Iterable[Source], stand_ins: Mapping[str, str] = NO_STAND_INS) -> Linted:
    """Lint each. `stand_ins` are texts that are read in the place of files, by the files' real paths."""
    linted = Linted()
    told: set[tuple[str, Range, str]] = set()
    for source in given:
        text = source.text
        kind, found = "file", [text] if isinstance(text, Diagnostic) else []
        if isinstance(text, str):
            analysis = _analyse(source, text, stand_ins)
            if analysis is None:
                linted.others.append(source.name)
                continue
            kind, found = analysis.kind or "file", list(analysis.diagnostics)
            linted.texts |= {source.name: text, **analysis.fragments}
        linted.num_files[kind] += 1
        for diagnostic in found:
            # A base that several specs extend is read with each of them, and maybe by itself.
            mistake = (diagnostic.code, diagnostic.range, diagnostic.message)
            if mistake not in told:
                told.add(mistake)
                linted.diagnostics.append(diagnostic)
    return linted


def _analyse(source: Source, text: str, stand_ins: Mapping[str, str]) -> Analysis | None:
    """What is wrong with a file; None of one in a folder that has nothing to do with craftc."""
    catalogue = built_in_catalogue()
    analysis = analyse(text, source.name, catalogue, environment=os.environ, kind=None, stand_ins=stand_ins)
    if analysis.kind is not None:
        return analysis
    if source.is_named:  # it was meant to be a spec
        return analyse(text, source.name, catalogue, environment=os.environ, stand_ins=stand_ins)
    says_craftc = any(line.startswith(("craftc:", '"craftc":', "'craftc':")) for line in text.splitlines())
    return analysis if says_craftc else None
