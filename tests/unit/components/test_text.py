"""Sources of text: files as users write them, and the text that Python ships."""

from pathlib import Path

import pytest

from craftc.compiler.planning.identity.shipped_text import digest, python_docs
from craftc.components.build import build
from craftc.components.errors import DataError
from craftc.components.sources.tokens import Tokens


def read(path: Path, **arguments: int) -> Tokens:
    tokens: Tokens = build("sources", {"kind": "text_file", "path": str(path), **arguments})
    return tokens


def spelt(tokens: Tokens) -> str:
    return "".join(tokens.names[number] for number in tokens.numbers)


@pytest.mark.parametrize(
    "text", ["na\u00efve \U0001d518nicode\t\u03c7\u03b1\u03c1\n", "", "\x00\u2028 odd\x85 breaks\x0b"]
)
def test_every_character_is_a_token(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode())
    tokens = read(tmp_path / "a.txt", context_length=5, min_count=2)
    assert spelt(tokens) == text
    assert tokens.names == tuple(sorted(set(text)))
    assert (tokens.context_length, tokens.min_count) == (5, 2)


def test_line_ends_and_a_byte_order_mark_are_those_of_any_system(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert spelt(read(tmp_path / "a.txt")) == "one\ntwo\nthree\n"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    told = {"latin.txt": "byte 3 (from 0) is 0xe9", "gone.txt": "No such file", ".": "Is a directory"}
    for name, said in told.items():
        with pytest.raises(DataError) as raised:
            read(tmp_path / name)
        assert (raised.value.code, raised.value.place) == ("data-unreadable", "data.source.path")
        assert said in raised.value.message
        assert raised.value.hint


def test_python_ships_a_text_and_it_is_the_one_that_is_asked_for() -> None:
    tokens = build("sources", {"kind": "python_docs", "context_length": 9, "sha256": digest(python_docs())})
    text = spelt(tokens)
    assert text == python_docs()
    assert 300_000 < len(text) < 2_000_000
    assert 'The "assert" statement' in text
    with pytest.raises(DataError, match="is asked for") as raised:
        build("sources", {"kind": "python_docs", "sha256": "0" * 64})
    assert raised.value.place == "data.source.sha256"
