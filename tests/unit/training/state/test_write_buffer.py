"""Files that wait for others, so that the disk is asked for all of them at once."""

from pathlib import Path

import pytest

from craftc.training.state.write_buffer import MOST_FILES, WriteBuffer


def test_without_a_delay_a_file_is_there_at_once(tmp_path: Path) -> None:
    write_buffer = WriteBuffer()
    write_buffer.add([(tmp_path / "a", b"1")])
    assert (tmp_path / "a").read_bytes() == b"1"
    assert write_buffer.is_empty


def test_until_it_is_put_the_old_file_stands(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write_buffer = WriteBuffer(delay_s=60)
    write_buffer.add([(tmp_path / "a", b"1"), (tmp_path / "b", b"1")])
    write_buffer.add([(tmp_path / "a", b"2")])
    assert (not write_buffer.is_empty, [path.name for path in tmp_path.iterdir()]) == (True, ["a"])
    assert (tmp_path / "a").read_bytes() == b"old"
    write_buffer.put()
    assert [(tmp_path / name).read_bytes() for name in ("a", "b")] == [b"2", b"1"]
    assert write_buffer.is_empty


def test_very_many_do_not_wait(tmp_path: Path) -> None:
    write_buffer = WriteBuffer(delay_s=60)
    for index in range(MOST_FILES):
        write_buffer.add([(tmp_path / str(index), b"1")])
    assert write_buffer.is_empty


def test_what_is_called_afterwards_waits_too(tmp_path: Path) -> None:
    write_buffer, called = WriteBuffer(delay_s=60), []
    write_buffer.afterwards(lambda: called.append("nothing waited"))
    write_buffer.add([(tmp_path / "a", b"1")])
    write_buffer.afterwards(lambda: called.append((tmp_path / "a").exists()))
    assert called == ["nothing waited"]
    write_buffer.put()
    assert called == ["nothing waited", True]


def test_what_cannot_be_written_goes_on_waiting(tmp_path: Path) -> None:
    write_buffer = WriteBuffer(delay_s=60)
    write_buffer.add([(tmp_path / "gone" / "a", b"1")])
    with pytest.raises(FileNotFoundError):
        write_buffer.put()
    assert not write_buffer.is_empty
    (tmp_path / "gone").mkdir()
    write_buffer.put()
    assert (tmp_path / "gone" / "a").read_bytes() == b"1"
