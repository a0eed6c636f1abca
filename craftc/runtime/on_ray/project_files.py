"""Which files of a spec's project travel to a cluster, and their digest."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from craftc.compiler.own_code.import_path import ROOT_MARK, project_root
from craftc.runtime.jobs.backend import BackendError
from craftc.secret_files import may_be_secret

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

CRAFTCIGNORE = ".craftcignore"
IGNORE_FILES = (".gitignore", CRAFTCIGNORE)
"""Read in every folder, the later one having the last word."""

ALWAYS_LEFT_OUT = {
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache",
    ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".tox", ".nox", ".DS_Store",
}  # fmt: skip

MAX_BYTES = 100 * 2**20
"""What the files of a project may weigh together: Ray keeps them in the memory of the cluster's head."""

NUM_LARGEST = 5
Reason = Literal["ignored", "secret", "link"]
"""Why a file or folder stays: a rule leaves it out, it may hold secrets, or it is a link whose target is not sent."""


@dataclass(frozen=True)
class Packed:
    """The files of a project that travel. `spec` and `files` are relative to `root`, sorted.

    `left_out` are the files and folders that do not, and why; nothing below such a folder is listed, and its name ends
    with a slash. `spec` may be empty, where there is none.
    """

    root: Path
    spec: str
    files: tuple[str, ...]
    left_out: tuple[tuple[str, Reason], ...]
    num_bytes: int

    def that_are(self, reason: Reason) -> list[str]:
        """What is left out for a reason."""
        return [path for path, why in self.left_out if why == reason]


def pack(spec: Path, runs_dir: Path, *, max_bytes: int = MAX_BYTES) -> Packed:
    """Choose the files of the spec's project that travel; the spec always does.

    Left out are `runs_dir`, a `runs` folder at the root, what ALWAYS_LEFT_OUT names anywhere, what a .gitignore or
    .craftcignore does, and what may hold secrets by its name, unless a line of a .craftcignore takes in that very name.
    A link is sent as the file that it leads to, where that is sent too. A hard link is the file itself, wherever that
    has its other names, and is sent by this one. Raises BackendError where they are more than `max_bytes` together.
    """
    root = project_root(spec)
    own = spec.resolve().relative_to(root).as_posix()
    return pack_folder(root, runs_dir, spec=own, max_bytes=max_bytes)


def pack_folder(root: Path, runs_dir: Path, *, spec: str = "", max_bytes: int = MAX_BYTES) -> Packed:
    """As `pack`, of a project by its root; without a spec, none of its files travels whatever the rules say."""
    avoid = {root / "runs", Path(os.path.abspath(runs_dir))}
    found = dict(_walk(root, root, avoid, ()))
    files = {*filter(None, [spec]), *(path for path, reason in found.items() if reason is None)}
    links = {path for path, reason in found.items() if reason == "link"}
    real = Path(os.path.realpath(root))
    followed = {link for link in links if _target(root / link, real) in files}
    files |= followed
    left_out = {path: reason for path, reason in found.items() if reason is not None and path not in files}
    sizes = {path: (root / path).stat().st_size for path in sorted(files)}
    num_bytes = sum(sizes.values())
    if num_bytes > max_bytes:
        raise BackendError("project-too-large", _too_large(root, sizes, max_bytes))
    return Packed(root, spec, tuple(sizes), tuple(sorted(left_out.items())), num_bytes)


def digest(packed: Packed) -> str:
    """Hex SHA-256 over the names, contents and executable bits of the files, and which of them is the spec."""
    total = hashlib.sha256(f"{packed.spec}\n".encode())
    for path in packed.files:
        with (packed.root / path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path}\0{os.access(packed.root / path, os.X_OK)}\0{content}\n".encode())
    return total.hexdigest()


def stage(packed: Packed, folder: Path) -> None:
    """Copy the files to a folder, links as what they lead to, and mark it as a project's root, as .git stays here."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ROOT_MARK).touch()
    for path in packed.files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(packed.root / path, target)


@dataclass(frozen=True)
class _Ignore:
    """The patterns of one ignore file, which hold from its folder downwards; `names` are those that a line of a
    .craftcignore takes in without a wildcard, such as `!.env.test`."""

    folder: Path
    patterns: "GitIgnoreSpec"
    names: frozenset[str] = frozenset()

    def verdict(self, path: Path, is_folder: bool) -> bool | None:
        """True: left out; False: taken in again; None: not mentioned."""
        relative = path.relative_to(self.folder).as_posix() + ("/" if is_folder else "")
        return self.patterns.check_file(relative).include


def _walk(root: Path, folder: Path, avoid: set[Path], above: Sequence[_Ignore]) -> Iterator[tuple[str, Reason | None]]:
    """Paths below the folder, and why they are left out, if they are. No link is followed."""
    rules = [*above, *_ignores(folder)]
    for entry in os.scandir(folder):
        path = Path(entry.path)
        is_link = entry.is_symlink()
        is_folder = entry.is_dir(follow_symlinks=False)
        name = path.relative_to(root).as_posix() + ("/" if is_folder else "")
        if entry.name in ALWAYS_LEFT_OUT or path in avoid or _left_out(path, is_folder, rules):
            yield name, "ignored"
        elif may_be_secret(entry.name, is_folder) and not _is_named(entry.name, rules):
            yield name, "secret"
        elif is_link:
            yield name, "link"
        elif is_folder:
            yield from _walk(root, path, avoid, rules)
        elif entry.is_file() and entry.name not in IGNORE_FILES:
            # The ignore files have done their work; Ray would heed them a second time, without .craftcignore.
            yield name, None


def _target(link: Path, root: Path) -> str:
    """The file that a link leads to, relative to the project; empty outside of it, and of folders."""
    real = Path(os.path.realpath(link))
    return real.relative_to(root).as_posix() if real.is_file() and real.is_relative_to(root) else ""


def _ignores(folder: Path) -> list[_Ignore]:
    from pathspec import GitIgnoreSpec

    found = []
    for name in IGNORE_FILES:
        path = folder / name
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            names = frozenset(map(_named, lines) if name == CRAFTCIGNORE else ()) - {""}
            found.append(_Ignore(folder, GitIgnoreSpec.from_lines(lines), names))
    return found


def _named(line: str) -> str:
    """The file that a line of an ignore file takes in; empty where it names none, or several by a wildcard."""
    name = line.strip().rstrip("/").rpartition("/")[2].removeprefix("!")
    return name if line.startswith("!") and not set("*?[") & set(name) else ""


def _is_named(name: str, rules: Sequence[_Ignore]) -> bool:
    return any(name in rule.names for rule in rules)


def _left_out(path: Path, is_folder: bool, rules: Sequence[_Ignore]) -> bool:
    """The last file that mentions the path decides, as in git."""
    verdicts = [rule.verdict(path, is_folder) for rule in rules]
    return next((verdict for verdict in reversed(verdicts) if verdict is not None), False)


def _too_large(root: Path, sizes: dict[str, int], max_bytes: int) -> str:
    largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:NUM_LARGEST]
    named = ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in largest)
    return (
        f"the files of {root} are {sum(sizes.values()) / 2**20:.1f} MiB, and {max_bytes / 2**20:g} MiB may be sent; "
        f"the largest are {named}; leave out what the run does not need by a .craftcignore, written like a .gitignore"
    )
