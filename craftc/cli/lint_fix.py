"""craftc lint --fix and --diff: what is given, with every sure mend made; written, or shown as a difference."""

import difflib
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import click

from craftc.cli.inputs.lint_sources import Source
from craftc.cli.inputs.read_spec import with_newlines
from craftc.cli.lint_files import Linted, lint_files
from craftc.cli.show_diagnostics import count
from craftc.compiler.fixing.fix_texts import fix_texts
from craftc.compiler.reading.document import LINE_BREAK
from craftc.compiler.render.text import printable
from craftc.schemas.diagnostic import Diagnostic
from craftc.secret_text import masked

_STANDARD_INPUT = "-"


class FixedFiles:
    """What is given, mended. `sources` hold the texts as they are now, and `linted` is what is wrong with those."""

    def __init__(self, given: Sequence[Source]) -> None:
        self.given = {_key(source): source for source in given}
        readable = {key: source.raw for key, source in self.given.items() if isinstance(source.raw, str)}
        self.linted = Linted()
        fixed = fix_texts(readable, self._lint, self._key_of)
        self.sources = self._with(fixed.texts)
        self.num_fixed = fixed.num_fixed

    def _with(self, texts: Mapping[str, str]) -> dict[str, Source]:
        return {key: replace(source, raw=texts.get(key, source.raw)) for key, source in self.given.items()}

    def _lint(self, texts: Mapping[str, str]) -> Sequence[Diagnostic]:
        stand_ins = {key: with_newlines(text) for key, text in texts.items() if key != _STANDARD_INPUT}
        self.linted = lint_files(self._with(texts).values(), stand_ins)
        return self.linted.diagnostics

    def _key_of(self, filename: str) -> str:
        piped = self.given.get(_STANDARD_INPUT)
        return _STANDARD_INPUT if piped is not None and piped.name == filename else os.path.realpath(filename)

    @property
    def num_left(self) -> Counter[str]:
        """The fixes of files that were not given, by name."""
        fixes = (d.fix for d in self.linted.diagnostics if d.fix is not None)
        return Counter(name for fix in fixes if self._key_of(name := fix.edits[0].range.filename) not in self.given)


def _key(source: Source) -> str:
    return _STANDARD_INPUT if source.is_standard_input else os.path.realpath(source.name)


def write_fixed(fixed: FixedFiles) -> bool:
    """Write every file that is mended, and the text of standard input to standard output; whether that went well."""
    is_done = True
    for key, source in fixed.sources.items():
        number, before = fixed.num_fixed[key], fixed.given[key].raw
        if source.is_standard_input and isinstance(source.raw, str):
            click.echo(source.raw.encode("utf-8", errors="surrogatepass"), nl=False)
        elif number and isinstance(source.raw, str) and isinstance(before, str):
            refused = _write(Path(source.name), before, source.raw)
            if refused is not None:
                click.echo(f"{printable(source.name)} is not written: {refused}", err=True)
                is_done = False
                continue
        if number:
            click.echo(f"{printable(source.name)}: {count(number, 'mistake')} fixed", err=True)
    _tell_left(fixed)
    return is_done


def _write(path: Path, before: str, after: str) -> str | None:
    """Put a text in the place of another, on the same file and mode; why not, where that cannot be done."""
    from craftc.training.foundation.atomic_file import write_atomically

    try:
        # Not a link to it: that would become a file of its own.
        path = path.resolve(strict=True)
        if not path.is_file():
            return "it is no file that can be written anew"
        if not os.access(path, os.W_OK):
            return "it is write-protected"
        if path.read_bytes() != before.encode():
            return "it has changed since it was read"
        mode = path.stat().st_mode
        write_atomically(path, after.encode())
        path.chmod(mode)
    except OSError as error:
        return str(error.strerror)
    return None


def show_difference(fixed: FixedFiles) -> bool:
    """Print what would be written as a unified diff; whether that is anything."""
    for key, source in fixed.sources.items():
        before = fixed.given[key].raw
        if fixed.num_fixed[key] and isinstance(source.raw, str) and isinstance(before, str):
            click.echo(difference(before, source.raw, source.name), nl=False)
            click.echo(f"{printable(source.name)}: {count(fixed.num_fixed[key], 'mistake')} would be fixed", err=True)
    _tell_left(fixed)
    return bool(fixed.num_fixed)


def difference(before: str, after: str, name: str) -> str:
    """A unified diff. In a terminal, without what would steer it."""
    old, new = (_lines(text) for text in (before, after))
    changes = difflib.unified_diff(old, new, name, name)
    # It may end in a log.
    lines = (masked(line, keep_length=True) for line in changes)
    ended = (line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in lines)
    if sys.stdout.isatty():
        ended = (f"{printable(line.rstrip())}\n" for line in ended)
    return "".join(ended)


def _lines(text: str) -> list[str]:
    """As YAML counts them, each with its end."""
    ends = [0, *(found.end() for found in LINE_BREAK.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]


def _tell_left(fixed: FixedFiles) -> None:
    for name, number in fixed.num_left.items():
        what = f"{count(number, 'mistake')} in it can be fixed too"
        click.echo(f"{printable(name)} is not among the paths given: {what}", err=True)
