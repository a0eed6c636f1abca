"""The events that specs are read from, by libyaml and by the parser in Python, beside those of a parser of YAML 1.2."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from craftc.compiler.reading.yaml_events import yaml_events

ROOT = Path(__file__).parents[4]
SPECS = sorted(path for folder in ("specs", "examples", "tests/golden") for path in (ROOT / folder).rglob("*.yaml"))
PARSERS = [True, False]


def told(events: Iterator[Any]) -> list[tuple[Any, ...]]:
    """What a tree is built from: kinds, values, quotes, anchors, and where scalars begin and end."""
    found = []
    for event in events:
        name = type(event).__name__
        if name == "ScalarEvent":
            start, end = event.start_mark, event.end_mark
            place = (start.line, start.column, end.line, end.column)
            # Parsers differ in where a block ends, and in where there is what is not written; nobody shows either.
            shown = {"|": place[:2], ">": place[:2]}.get(event.style, place) if event.value or event.style else ()
            found.append((name, event.value, event.style or "", event.anchor, *shown))
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            found.append((name, event.anchor, bool(event.flow_style), event.start_mark.line))
        elif name == "AliasEvent":
            found.append((name, event.anchor, event.start_mark.line, event.start_mark.column))
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            found.append((name,))
    return found


def of_another(text: str) -> list[tuple[Any, ...]]:
    return told(YAML(typ="rt", pure=True).parse(text))


def ours(text: str, by_libyaml: bool) -> list[tuple[Any, ...]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", by_libyaml)
        return told(yaml_events(text))


@pytest.mark.parametrize("by_libyaml", PARSERS)
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_specs_are_read_as_another_parser_reads_them(path: Path, by_libyaml: bool) -> None:
    text = path.read_text(encoding="utf-8")
    try:
        expected = of_another(text)
    except MarkedYAMLError:
        with pytest.raises(yaml.YAMLError):
            ours(text, by_libyaml)
        return
    assert ours(text, by_libyaml) == expected


@pytest.mark.parametrize("by_libyaml", PARSERS)
@given(value=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).map(str.strip))
def test_what_breaks_no_line_in_yaml_1_2_breaks_none(by_libyaml: bool, value: str) -> None:
    quoted = value.replace("\\", "").replace('"', "")
    scalars = [event[1] for event in ours(f'a: "{quoted}"\nb: 1\n', by_libyaml) if event[0] == "ScalarEvent"]
    assert scalars == ["a", quoted, "b", "1"]


@pytest.mark.parametrize("by_libyaml", PARSERS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud83d\ude00"', "\ud83d\ude00"),
        (r'"\U0001f600"', "\U0001f600"),
        ("a\u2028b", "a\u2028b"),
        ("a\x85b", "a\x85b"),
        ("'a\ufeffb'", "a\ufeffb"),
        ("\U0010fffd\u2029", "\U0010fffd\u2029"),
    ],
)
def test_a_character_stays_what_it_is(text: str, value: str, by_libyaml: bool) -> None:
    scalars = [event[1] for event in ours(f"[{text}, why?]", by_libyaml) if event[0] == "ScalarEvent"]
    assert scalars == [value, "why?"]
