"""Reads the events of a YAML text, each with the marks of its begin and end; line and column count from 0.

libyaml's parser, which PyYAML wraps, takes a twenty-fifth of the time of one in Python. It follows YAML 1.1, which
breaks lines at more characters than YAML 1.2 does; those characters are replaced by others while it reads.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import ScalarEvent
from yaml.reader import ReaderError

_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""YAML 1.2.2, section 5.1."""
_ORDINARY = re.compile("[\x85\u2028\u2029\ufeff]")
"""What breaks lines in YAML 1.1 or may not stand within a text, and is a character like any other in YAML 1.2."""
_ESCAPED = re.compile(r"\\U([0-9a-fA-F]{8})")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""JSON escapes a character beyond U+FFFF as two of these, which libyaml refuses."""
_QUESTION = re.compile(r"(?<=[^\s,\[\]{}?])\?")
"""One that ends a word, as libyaml reads it; to PyYAML's own parser it is an indicator in all brackets."""
_QUESTION_FIRST = r"(?<![^\s,\[\]{}])\?(?=[^\s,\[\]{}])"
"""One that begins a word, and that YAML 1.2 reads as a part of it: to libyaml it is an indicator in all brackets."""


def is_for_libyaml(text: str) -> bool:
    """Whether libyaml is there, and can read such a text; it is read by PyYAML's own parser otherwise."""
    return bool(yaml.__with_libyaml__) and _SURROGATE.search(text) is None


def yaml_events(text: str) -> Iterator[Any]:
    """Raises YAMLError, and ValueError on some odd escapes, as far as the text was readable."""
    text = text.removeprefix("\ufeff")
    if (odd := _NOT_ALLOWED.search(text)) is not None:
        raise ReaderError("", odd.start(), ord(odd[0]), "unicode", "special characters are not allowed")
    if text.endswith((" ", "\t")) and text.rstrip(" \t").endswith(("\n", "\r")):
        text += "\n"  # to libyaml, spaces in a last line without an end are none of a block scalar's
    is_quick = is_for_libyaml(text)
    disguised = _ORDINARY.findall(text) if not text.isascii() else []
    questions = [_QUESTION_FIRST] if is_quick else [_QUESTION_FIRST, _QUESTION.pattern]
    if "?" in text and any(re.search(pattern, text) is not None for pattern in questions):
        disguised.append("?")
    names = _unused(text, sorted(set(disguised)))
    for character, name in names.items():
        if character != "?":
            text = text.replace(character, name)
            continue
        for pattern in questions:
            text = re.sub(pattern, name, text)
    events = yaml.parse(text, Loader=yaml.CLoader if is_quick else yaml.SafeLoader)
    if not names:
        yield from events
        return
    back = {ord(name): character for character, name in names.items()}
    for event in events:
        if isinstance(event, ScalarEvent):
            event.value = event.value.translate(back)
        yield event


def _unused(text: str, characters: list[str]) -> dict[str, str]:
    """For each character another that the text neither holds nor escapes. There is always one: to hold all would take
    more text than is read."""
    if not characters:
        return {}
    used = set(map(ord, set(text))) | {int(code, 16) for code in _ESCAPED.findall(text)}
    free = (code for code in range(0x10FFFD, 0xFFFF, -1) if code not in used)
    return {character: chr(next(free)) for character in characters}
