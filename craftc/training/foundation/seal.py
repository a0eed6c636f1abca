"""Seals files, so that damage is noticed when they are read: a line of its own holds the SHA-256 of all other lines.

In JSON that is the second line, the first field; in YAML the first, a comment. Without it the file says the same, and
`grep -v '"seal": "sha256:' FILE | sha256sum` gives the digest. In JSON lines each line ends in a digest of its other
fields and of the digest before, so that the last one stands for the whole file.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

_JSON = re.compile(rb'\A\{\n *"seal": "sha256:([0-9a-f]{64})",\n')
_YAML = re.compile(rb"\A# seal: sha256:([0-9a-f]{64})\n")
_YAML_START = b"# seal: sha256:"
_TRACE = re.compile(rb'"seal":|# seal:|sha256:')
_HEAD = 120
"""Bytes in which a seal stands, or what damage has left of one."""
_DIGEST = 64
_DIGEST_TO_END = _DIGEST + len('"}\n')
_LINE = re.compile(rb', "seal": "([0-9a-f]{64})"\}')


class DamagedError(ValueError):
    """A file is not as it was written. The message says what is wrong with it, for behind the name of the file."""


@dataclass(frozen=True)
class Unsealed:
    """A file without its seal. `is_sealed`: it had one, as all files but those of earlier versions."""

    content: bytes
    is_sealed: bool


@dataclass(frozen=True)
class SoundLines:
    """The lines of a file up to the first that is damaged, without their seals; `fault` says what is wrong there.

    `seal` is that of the last of them, "" without any; `is_sealed` is false for lines of earlier versions.
    """

    lines: tuple[bytes, ...]
    seal: str = ""
    fault: str | None = None
    is_sealed: bool = True


def sealed_json(content: bytes) -> bytes:
    """A JSON object with fields, sealed."""
    rest = _after_brace(content)
    return b"{\n" + _json_seal(hashlib.sha256(b"{\n" + rest).hexdigest(), rest) + rest


def sealed_yaml(content: bytes) -> bytes:
    """A YAML document, sealed."""
    return f"# seal: sha256:{hashlib.sha256(content).hexdigest()}\n".encode() + content


def write_sealed_json(file: BinaryIO, pieces: Iterable[bytes]) -> None:
    """Write a JSON object piece by piece, sealed; the first piece is the opening brace and a line end."""
    digest = hashlib.sha256()
    place = 0
    for number, piece in enumerate(pieces):
        digest.update(piece)
        file.write(piece)
        if number == 0:
            assert piece == b"{\n", "the seal is to be the first field"
            place = file.tell()
            file.write(_json_seal("0" * 64))
    file.seek(place)
    file.write(_json_seal(digest.hexdigest()))


def unsealed(content: bytes) -> Unsealed:
    """What was sealed, JSON or YAML. Raises DamagedError."""
    found = _JSON.match(content) or _YAML.match(content)
    if found is None:
        if _YAML_START.startswith(content):
            raise DamagedError("is cut short" if content else "is empty")
        if _TRACE.search(content, 0, _HEAD):
            raise DamagedError("has a damaged seal")
        return Unsealed(content, is_sealed=False)
    kept = (b"{\n" if content.startswith(b"{") else b"") + content[found.end() :]
    if hashlib.sha256(kept).hexdigest().encode() != found[1]:
        raise DamagedError("does not have the SHA-256 of its seal")
    return Unsealed(kept, is_sealed=True)


def sealed_line(line: bytes, before: str) -> bytes:
    """One line of JSON, an object with fields and a line end, sealed behind a line with the seal `before`."""
    digest = hashlib.sha256(before.encode() + line).hexdigest()
    return b'%b, "seal": "%b"}\n' % (line[:-2], digest.encode())


def seal_of(line: bytes) -> str:
    """That of a line of `sealed_line`."""
    return line[-_DIGEST_TO_END:][:_DIGEST].decode("ascii")


def last_seal(descriptor: int) -> str:
    """The seal of the last of the sealed lines in a file that can be read; "" of an empty one.

    Of a damaged line it is no seal, and what is appended behind it is then damaged, too.
    """
    end = os.pread(descriptor, _DIGEST_TO_END, max(0, os.fstat(descriptor).st_size - _DIGEST_TO_END))
    return end[:_DIGEST].decode("ascii", errors="replace")


def sound_lines(content: bytes) -> SoundLines:
    """The lines of a file; what stands behind the last line end was cut short by a kill, and is left out."""
    *lines, _ = content.split(b"\n")
    sound: list[bytes] = []
    before = ""
    for number, line in enumerate(lines, start=1):
        found = _LINE.search(line, max(0, len(line) - 77))
        if found is None or found.end() != len(line):
            if before or b'"seal"' in line:
                return SoundLines(tuple(sound), before, f"line {number} has no seal")
            sound.append(line + b"\n")
            continue
        kept = line[: found.start()] + b"}\n"
        seal = found[1].decode()
        if hashlib.sha256(before.encode() + kept).hexdigest() != seal:
            return SoundLines(tuple(sound), before, f"line {number} does not have the SHA-256 of its seal")
        sound.append(kept)
        before = seal
    return SoundLines(tuple(sound), before, is_sealed=bool(before) or not sound)


def _after_brace(content: bytes) -> bytes:
    assert content.startswith(b"{"), "what is sealed so is a JSON object"
    return content[1:].lstrip(b"\n")


def _json_seal(digest: str, rest: bytes = b"") -> bytes:
    """The seal's line, indented as the line that follows."""
    indent = len(rest) - len(rest.lstrip(b" "))
    return b'%b"seal": "sha256:%b",\n' % (b" " * indent, digest.encode())
