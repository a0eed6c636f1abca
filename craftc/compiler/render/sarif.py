"""Writes diagnostics as SARIF 2.1.0, the format of code scanners."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from craftc import __version__
from craftc.compiler.render.explanations import explain, source
from craftc.compiler.render.text import printable
from craftc.schemas.diagnostic import Diagnostic, Fix, Range, shown_fix

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"


def render_sarif(diagnostics: Sequence[Diagnostic], uri_of: Callable[[str], str]) -> str:
    """A log of one run, with a rule for every code that was found; `uri_of` gives a file's URI.

    A relative URI starts from the root of the repository. Columns count characters, as everywhere in craftc. Braces of
    a message stand for themselves: section 3.11.5 would have them doubled, but GitHub and the viewers of editors leave
    a message without arguments as it is.
    """
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    run = {
        "tool": {"driver": {"name": "craftc", "version": __version__, "rules": [_rule(code) for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [_result(diagnostic, codes, uri_of) for diagnostic in diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    page = explain(code)
    return {
        "id": code,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.text},
        "help": {"text": source(code), "markdown": source(code)},
    }


def _result(diagnostic: Diagnostic, codes: list[str], uri_of: Callable[[str], str]) -> dict[str, Any]:
    hint = f"; {printable(diagnostic.hint)}" if diagnostic.hint else ""
    related = [
        {"id": number, "message": {"text": printable(other.message)}, **_location(other.range, uri_of)}
        for number, other in enumerate(diagnostic.related)
    ]
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": diagnostic.severity,
        "message": {"text": printable(diagnostic.message) + hint},
        "locations": [_location(diagnostic.range, uri_of)],
        **({"relatedLocations": related} if related else {}),
        **({"fixes": [_fix(fix, uri_of)]} if (fix := shown_fix(diagnostic)) is not None else {}),
    }


def _fix(fix: Fix, uri_of: Callable[[str], str]) -> dict[str, Any]:
    """Its edits are of one file."""
    replacements = [
        {"deletedRegion": _region(place), **({"insertedContent": {"text": text}} if text else {})}
        for place, text in fix.edits
    ]
    change = {"artifactLocation": _artifact(fix.edits[0].range, uri_of), "replacements": replacements}
    return {"description": {"text": printable(fix.message)}, "artifactChanges": [change]}


def _location(place: Range, uri_of: Callable[[str], str]) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(place, uri_of), "region": _region(place)}}


def _artifact(place: Range, uri_of: Callable[[str], str]) -> dict[str, Any]:
    uri = uri_of(place.filename)
    return {"uri": uri} if uri.startswith("file:") else {"uri": uri, "uriBaseId": _ROOT}


def _region(place: Range) -> dict[str, Any]:
    return {
        "startLine": place.start.line,
        "startColumn": place.start.column,
        "endLine": place.end.line,
        "endColumn": place.end.column,
    }
