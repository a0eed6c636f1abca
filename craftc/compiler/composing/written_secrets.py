"""Finds secrets that are written into a spec or a file that it includes."""

from collections.abc import Iterator, Mapping

from craftc.compiler.reading.document import LINE_BREAK, included_by
from craftc.schemas.diagnostic import Diagnostic, Position, Range
from craftc.secret_text import secret_in, secret_spans


def written_secrets(texts: Mapping[str, str], included: Mapping[str, Range]) -> list[Diagnostic]:
    """A mistake for each, wherever it stands: a run keeps the texts as they are, comments too.

    `texts` are the files by name, and `included` says where each of them is named.
    """
    return [found for name, text in texts.items() if secret_in(text) for found in _in_file(name, text, included)]


def _in_file(name: str, text: str, included: Mapping[str, Range]) -> Iterator[Diagnostic]:
    for number, line in enumerate(LINE_BREAK.split(text), start=1):
        for kind, first, last in secret_spans(line):
            where = Range(name, Position(number, first + 1), Position(number, last + 1))
            message = f"this looks like {kind}, and what a spec says is written into plans, results and trackers"
            hint = "take it out, and have it made invalid where others may have seen it"
            yield Diagnostic("secret-in-spec", message, where, hint=hint, related=included_by(name, included))
