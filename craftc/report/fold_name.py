"""Breaks a name into lines of at most a given width, where it reads well."""

import re

from rich.cells import cell_len


def fold_name(name: str, width: int) -> str:
    """Break a name into lines of at most `width` cells: after commas and blanks, or else within a word."""
    lines = [""]
    for part in _pieces(name, width):
        if lines[-1] and cell_len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _pieces(name: str, width: int) -> list[str]:
    """What may stand on a line of its own; a word that is too long is cut after `_ = . / -`, or else anywhere."""
    pieces: list[str] = []
    for word in re.findall(r"[^, ]*[, ]*", name):
        fits = cell_len(word.rstrip()) <= width
        syllables = [word] if fits else re.findall(r"[^_=./-]*[_=./-]*", word)
        for syllable in syllables:
            pieces += [syllable] if cell_len(syllable.rstrip()) <= width else list(syllable)
    return pieces
