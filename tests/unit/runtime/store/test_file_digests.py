"""Digests of files are known by their stamps, and never believed of a file that changed."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from craftc.compiler.planning.identity.fingerprint import content_digest
from craftc.runtime.store.file_digests import FileDigests


def later() -> float:
    """A clock by which every file has been there for long."""
    return time.time() + 60


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.bin"
    path.write_bytes(b"samples")
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    paths: list[Path] = []
    from craftc.compiler.planning.identity import fingerprint

    def count(path: Path, hash_file: Callable[[Path], str] = fingerprint.hash_file) -> str:
        paths.append(path)
        return hash_file(path)

    monkeypatch.setattr("craftc.runtime.store.file_digests.hash_file", count)
    return paths


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(tmp_path: Path, file: Path, now: Callable[[], float] = later) -> str:
    """As a process of its own would find it."""
    digests = FileDigests(tmp_path / "digests.json", now=now)
    found = digests(file)
    digests.save()
    return found


def test_an_unchanged_file_is_read_once(tmp_path: Path, file: Path, hashed: list[Path]) -> None:
    assert [digest(tmp_path, file) for _ in range(3)] == [sha256(b"samples")] * 3
    assert len(hashed) == 1


def test_a_touched_file_is_read_again_and_equal(tmp_path: Path, file: Path, hashed: list[Path]) -> None:
    first = digest(tmp_path, file)
    os.utime(file, (1, 1))
    assert digest(tmp_path, file) == first
    assert len(hashed) == 2


def test_a_file_changed_with_its_time_set_back_is_noticed(tmp_path: Path, file: Path) -> None:
    digest(tmp_path, file)
    status = file.stat()
    time.sleep(0.02)  # past the tick of the kernel's clock
    file.write_bytes(b"SAMPLES")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest(tmp_path, file) == sha256(b"SAMPLES")


def test_a_young_file_is_not_remembered(tmp_path: Path, file: Path, hashed: list[Path]) -> None:
    for _ in range(2):
        digest(tmp_path, file, time.time)
    assert len(hashed) == 2
    assert not (tmp_path / "digests.json").exists()


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(path: Path) -> str:
        found = sha256(path.read_bytes())
        path.write_bytes(b"longer than before")
        return found

    monkeypatch.setattr("craftc.runtime.store.file_digests.hash_file", slow)
    digests = FileDigests(tmp_path / "digests.json", now=later)
    digests(file)
    monkeypatch.undo()
    assert digests(file) == sha256(b"longer than before")


def test_a_replaced_file_and_a_link_led_elsewhere_are_noticed(tmp_path: Path, file: Path) -> None:
    link, other = tmp_path / "link", tmp_path / "other"
    link.symlink_to(file)
    other.write_bytes(b"another")
    assert digest(tmp_path, link) == sha256(b"samples")
    link.unlink()
    link.symlink_to(other)
    assert digest(tmp_path, link) == sha256(b"another")
    os.replace(other, file)
    assert digest(tmp_path, file) == sha256(b"another")


def test_of_a_folder_only_changed_files_are_read(tmp_path: Path, hashed: list[Path]) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for index in range(5):
        (folder / f"{index}.bin").write_bytes(bytes([index]))
    for _ in range(2):
        digests = FileDigests(tmp_path / "digests.json", now=later)
        assert content_digest(folder, digests) == content_digest(folder)
        digests.save()
    assert len(hashed) == 5
    (folder / "3.bin").write_bytes(b"new")
    assert content_digest(folder, FileDigests(tmp_path / "digests.json", now=later)) == content_digest(folder)
    assert len(hashed) == 6


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 2, "files": {}}', b'{"format": 1, "files": {"x": [1]}}', b'{"format": 1}', b"\xff"],
)
def test_a_damaged_file_of_digests_is_written_anew(tmp_path: Path, file: Path, content: bytes) -> None:
    (tmp_path / "digests.json").write_bytes(content)
    assert digest(tmp_path, file) == sha256(b"samples")
    assert str(file) in json.loads((tmp_path / "digests.json").read_bytes())["files"]


def test_files_that_are_gone_are_forgotten_and_others_kept(tmp_path: Path, file: Path) -> None:
    other, third = tmp_path / "other", tmp_path / "third"
    other.write_bytes(b"1")
    third.write_bytes(b"2")
    digest(tmp_path, file)
    digest(tmp_path, other)
    other.unlink()
    digest(tmp_path, third)
    assert set(json.loads((tmp_path / "digests.json").read_bytes())["files"]) == {str(file), str(third)}


def test_nothing_is_written_where_there_is_no_store(tmp_path: Path, file: Path) -> None:
    digests = FileDigests(tmp_path / "store" / "digests.json", now=later)
    digests(file)
    digests.save()
    assert not (tmp_path / "store").exists()


def test_many_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    files = [tmp_path / f"{index}.bin" for index in range(8)]
    for index, path in enumerate(files):
        path.write_bytes(bytes([index]))
    threads = [threading.Thread(target=digest, args=(tmp_path, path)) for path in files for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = json.loads((tmp_path / "digests.json").read_bytes())["files"]
    assert known
    assert all(entry[-1] == sha256(Path(name).read_bytes()) for name, entry in known.items())


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileDigests(tmp_path / "digests.json")(tmp_path / "none")
