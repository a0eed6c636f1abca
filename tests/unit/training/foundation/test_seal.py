"""Seals: what they cover, that other tools can check them, and that files without one are read."""

import hashlib
import io
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craftc.training.foundation.seal import (
    DamagedError,
    seal_of,
    sealed_json,
    sealed_line,
    sealed_yaml,
    sound_lines,
    unsealed,
    write_sealed_json,
)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text(min_size=1).filter(lambda name: name != "seal"), JSON_VALUES, min_size=1, max_size=4)


def in_lines(values: list[dict[str, object]]) -> bytes:
    lines: list[bytes] = []
    for value in values:
        lines.append(sealed_line((json.dumps(value) + "\n").encode(), seal_of(lines[-1]) if lines else ""))
    return b"".join(lines)


@given(OBJECTS, st.sampled_from([None, 2]))
def test_a_sealed_object_says_the_same_and_one_field_more(value: dict[str, object], indent: int | None) -> None:
    content = (json.dumps(value, indent=indent) + "\n").encode()
    sealed = sealed_json(content)
    found = unsealed(sealed)
    assert json.loads(sealed) == {"seal": json.loads(sealed)["seal"], **value}
    assert (json.loads(found.content), found.is_sealed) == (value, True)
    # By hand: the file without its second line.
    first, _, *rest = sealed.split(b"\n")
    assert json.loads(sealed)["seal"] == "sha256:" + hashlib.sha256(b"\n".join([first, *rest])).hexdigest()


@given(OBJECTS)
def test_piece_by_piece_gives_the_same_file(value: dict[str, object]) -> None:
    file = io.BytesIO()
    rest = json.dumps(value).encode()[1:] + b"\n"
    write_sealed_json(file, [b"{\n", rest[:3], rest[3:]])
    assert file.getvalue() == sealed_json(b"{\n" + rest)


@given(OBJECTS, st.data())
def test_no_bit_of_a_sealed_object_can_change(value: dict[str, object], data: st.DataObject) -> None:
    sealed = bytearray(sealed_json(json.dumps(value, indent=2).encode()))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        unsealed(bytes(sealed))


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.data())
def test_of_damaged_lines_those_before_are_kept(values: list[dict[str, object]], data: st.DataObject) -> None:
    content = in_lines(values)
    sound = sound_lines(content)
    assert [json.loads(line) for line in sound.lines] == values
    assert (sound.fault, sound.is_sealed, sound.seal) == (None, True, json.loads(content.splitlines()[-1])["seal"])

    place = data.draw(st.integers(0, len(content) - 1))
    broken = bytearray(content)
    broken[place] ^= 1 << data.draw(st.integers(0, 7))
    number = content[:place].count(b"\n")
    found = sound_lines(bytes(broken))
    if place == len(content) - 1:
        # As if a kill had cut the last line short.
        assert (found.fault, len(found.lines)) == (None, number)
    elif found.seal or number:
        assert (len(found.lines), found.fault is not None) == (number, True)
    else:
        # Of a first line whose seal is not to be known as one any more, it is for its reader to see that it is none.
        assert found.fault is not None or not found.is_sealed


@given(st.lists(OBJECTS, min_size=2, max_size=4, unique_by=str), st.data())
def test_lines_that_are_left_out_or_change_places_are_noticed(
    values: list[dict[str, object]], data: st.DataObject
) -> None:
    lines = in_lines(values).splitlines(keepends=True)
    gone = data.draw(st.integers(0, len(lines) - 2))
    without = lines[:gone] + lines[gone + 1 :]
    assert sound_lines(b"".join(without)).fault is not None
    swapped = [*lines[:gone], lines[gone + 1], lines[gone], *lines[gone + 2 :]]
    assert sound_lines(b"".join(swapped)).fault is not None


def test_other_tools_can_check_a_seal(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(sealed_json(b'{\n  "value": 1\n}\n'))
    (tmp_path / "a.yaml").write_bytes(sealed_yaml(b"value: 1\n"))
    for name in ("a.json", "a.yaml"):
        command = f"grep -v 'seal\"*: \"*sha256:' {name} | sha256sum"
        digest = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert digest.split()[0] in (tmp_path / name).read_text()


def test_what_has_no_seal_is_read_and_known_by_it() -> None:
    for content in (b'{"a": 1}', b"a: 1\n", b"# a comment\n"):
        assert unsealed(content) == (unsealed(content).__class__(content, is_sealed=False))
    assert sound_lines(b'{"a": 1}\n{"a": 2}\n').is_sealed is False


def test_a_document_that_is_cut_short_within_its_seal_is_not_one_without() -> None:
    sealed = sealed_yaml(b"value: 1\n")
    for size in range(len(sealed)):
        with pytest.raises(DamagedError):
            unsealed(sealed[:size])


def test_a_line_without_a_seal_behind_one_that_has_one_is_damage() -> None:
    assert sound_lines(in_lines([{"a": 1}]) + b'{"a": 2}\n').fault == "line 2 has no seal"
