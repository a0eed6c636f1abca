"""Which files of a spec's project travel to a cluster, and their digest."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from craftc.compiler.own_code.import_path import ROOT_MARK, project_root
from craftc.runtime.jobs.backend import BackendError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILES = (".gitignore", ".craftcignore")
"""Read in every folder, the later one having the last word."""

ALWAYS_LEFT_OUT = {
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache",
    ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".tox", ".nox", ".DS_Store",
}  # fmt: skip

MAX_BYTES = 100 * 2**20
"""What the files of a project may weigh together: Ray keeps them in the memory of the cluster's head."""

NUM_LARGEST = 5


@dataclass(frozen=True)
class Packed:
    """The files of a project that travel. `spec` and `files` are relative to `root`, sorted.

    `skipped` are links to folders, which do not travel. `spec` may be empty, where there is none.
    """

    root: Path
    spec: str
    files: tuple[str, ...]
    skipped: tuple[str, ...]
    num_bytes: int


def pack(spec: Path, runs_dir: Path, *, max_bytes: int = MAX_BYTES) -> Packed:
    """Choose the files of the spec's project that travel; the spec always does.

    Left out are `runs_dir`, a `runs` folder at the root, what ALWAYS_LEFT_OUT names anywhere, and what a .gitignore or
    .craftcignore does. Raises BackendError where they are more than `max_bytes` together.
    """
    root = project_root(spec)
    own = spec.resolve().relative_to(root).as_posix()
    return pack_folder(root, runs_dir, spec=own, max_bytes=max_bytes)


def pack_folder(root: Path, runs_dir: Path, *, spec: str = "", max_bytes: int = MAX_BYTES) -> Packed:
    """As `pack`, of a project by its root; without a spec, none of its files travels whatever the rules say."""
    avoid = {root / "runs", Path(os.path.abspath(runs_dir))}
    found = list(_walk(root, root, avoid, ()))
    skipped = tuple(sorted(path for path, is_file in found if not is_file))
    files = tuple(sorted({*filter(None, [spec]), *(path for path, is_file in found if is_file)}))
    sizes = {path: (root / path).stat().st_size for path in files}
    num_bytes = sum(sizes.values())
    if num_bytes > max_bytes:
        raise BackendError("project-too-large", _too_large(root, sizes, max_bytes))
    return Packed(root, spec, files, skipped, num_bytes)


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
    """The patterns of one ignore file, which hold from its folder downwards."""

    folder: Path
    patterns: "GitIgnoreSpec"

    def verdict(self, path: Path, is_folder: bool) -> bool | None:
        """True: left out; False: taken in again; None: not mentioned."""
        relative = path.relative_to(self.folder).as_posix() + ("/" if is_folder else "")
        return self.patterns.check_file(relative).include


def _walk(root: Path, folder: Path, avoid: set[Path], above: Sequence[_Ignore]) -> Iterator[tuple[str, bool]]:
    """Paths below the folder that are not left out: (path, True) for a file, (path, False) for a link to a folder."""
    rules = [*above, *_ignores(folder)]
    for entry in os.scandir(folder):
        path = Path(entry.path)
        is_folder = entry.is_dir()
        if entry.name in ALWAYS_LEFT_OUT or path in avoid or _left_out(path, is_folder, rules):
            continue
        if is_folder and entry.is_symlink():
            yield path.relative_to(root).as_posix(), False
        elif is_folder:
            yield from _walk(root, path, avoid, rules)
        elif entry.is_file() and entry.name not in IGNORE_FILES:
            # The ignore files have done their work; Ray would heed them a second time, without .craftcignore.
            yield path.relative_to(root).as_posix(), True


def _ignores(folder: Path) -> list[_Ignore]:
    from pathspec import GitIgnoreSpec

    paths = [folder / name for name in IGNORE_FILES]
    return [
        _Ignore(folder, GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8").splitlines()))
        for path in paths
        if path.is_file()
    ]


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
