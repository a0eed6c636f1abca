"""Texts and what lint says of them to the same texts with every sure mend made, and what is left."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from craftc.compiler.fixing.apply_edits import apart, apply_edits
from craftc.compiler.reading.parse import parse
from craftc.schemas.diagnostic import Diagnostic, Fix

MAX_ROUNDS = 20
"""One mend can uncover the next mistake; this many one after another are not met with. Each round mends up to 200."""


@dataclass(frozen=True)
class Fixed:
    """`num_fixed` counts the mends by text, and `diagnostics` are of the texts as they are now."""

    texts: Mapping[str, str]
    diagnostics: Sequence[Diagnostic]
    num_fixed: Counter[str] = field(default_factory=Counter)


def fix_texts(
    texts: Mapping[str, str],
    lint: Callable[[Mapping[str, str]], Sequence[Diagnostic]],
    key_of: Callable[[str], str],
) -> Fixed:
    """Make every fix of these texts, lint again, and so on until none is left.

    `lint` says what is wrong with the texts as they are; `key_of` gives the key of the text that a diagnostic calls by
    a file's name. Fixes of other files are left.
    """
    current = dict(texts)
    num_fixed: Counter[str] = Counter()
    found = lint(current)
    for _ in range(MAX_ROUNDS):
        before = dict(current)
        for key, fixes in _by_text(found, key_of).items():
            if key in current:
                current[key], number = _with_fixes(current[key], fixes)
                num_fixed[key] += number
        if current == before:
            break
        found = lint(current)
    return Fixed(current, found, +num_fixed)


def _by_text(diagnostics: Iterable[Diagnostic], key_of: Callable[[str], str]) -> dict[str, list[Fix]]:
    fixes: dict[str, list[Fix]] = {}
    for diagnostic in diagnostics:
        if diagnostic.fix is not None:
            fixes.setdefault(key_of(diagnostic.fix.edits[0].range.filename), []).append(diagnostic.fix)
    return fixes


def _with_fixes(text: str, fixes: list[Fix]) -> tuple[str, int]:
    """The text with all fixes that can be made together, and their number; without those that do not go with the ones
    before them, as where two keys become the same one."""
    before = text
    made: list[Fix] = []
    waiting = [apart(fixes)]
    while waiting:
        more = waiting.pop()
        changed = apply_edits(before, [edit for fix in (*made, *more) for edit in fix.edits])
        if _is_sound(before, changed):
            made, text = [*made, *more], changed
        elif len(more) > 1:
            waiting += [more[len(more) // 2 :], more[: len(more) // 2]]
    return text, len(made)


def _is_sound(before: str, after: str) -> bool:
    """Whether a text can be read, with no mistake of its YAML that was not there before; or, where neither can be read,
    is read further than before."""
    document, found = parse(after, "")
    first, earlier = parse(before, "")
    if document is None and first is None and found and earlier:
        return found[-1].range.start > earlier[-1].range.start
    return document is not None and len(found) <= len(earlier)
