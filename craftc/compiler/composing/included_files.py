"""Finds and reads, once each, the files that a spec includes."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path as File

from craftc.compiler.composing.file_kind import FileKind, file_kind, is_foreign, is_foreign_text, without_content
from craftc.compiler.reading.document import Document, Node, SourceFile, included_by, range_of
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.parse import MAX_BYTES, parse
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show, type_of
from craftc.compiler.reading.version import check_version
from craftc.schemas.diagnostic import Diagnostic, Path, Range, format_path
from craftc.schemas.spec import DEFAULTS

MAX_FILES = 64
"""That one spec may be made of."""
FOLDER = "search_spaces"
SHIPPED = File(__file__).parents[2] / FOLDER
"""The search spaces that come with craftc, where it is installed from a wheel."""
SUFFIXES = (".yaml", ".yml")
"""Of files that hold YAML, in small letters; a file may have them in any."""


def is_yaml(filename: str) -> bool:
    """Whether a file's name says that it holds YAML."""
    return filename.lower().endswith(SUFFIXES)


@dataclass
class IncludedFiles:
    """What has been read for one spec: texts and trees by file name, mistakes, and where each file is named.

    `stand_ins` are texts that are read in the place of files, by the files' real paths. `roots` are the folders in
    which the files may be, as real paths. `taken_out` are the paths that some file takes out of the search by `none`.
    """

    texts: dict[str, str] = field(default_factory=dict)
    trees: dict[str, Node | None] = field(default_factory=dict)
    sources: dict[str, SourceFile] = field(default_factory=dict)
    included: dict[str, Range] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    taken_out: set[str] = field(default_factory=set)
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()

    def outside(self, filename: str, place: Path, *more_roots: str) -> Problem | None:
        """Why a file may not be read: it is outside of the project, or a link in the project leads there.

        The message says nothing about such a file, not even whether it exists: the spec may be a stranger's.
        """
        real = os.path.realpath(filename)
        if any(is_within(real, root) for root in (*self.roots, *map(os.path.realpath, more_roots))):
            return None
        message = f"{filename} is outside of the spec's project"
        hint = "copy it into the project, or list its folder in the environment variable CRAFTC_INCLUDE"
        return Problem("outside-project", place, message, hint)

    def report(self, problem: Problem, node: Node) -> None:
        """Report a mistake at the node that makes it, with the files that led there."""
        self.diagnostics.append(
            Diagnostic(
                code=problem.code,
                message=problem.message,
                hint=problem.hint,
                path=format_path(problem.path),
                range=node.range,
                related=included_by(node.filename, self.included),
            )
        )

    def read(self, filename: str, named: Node, problem: Problem, expected: Sequence[FileKind]) -> Node | None:
        """The tree of a file, a mapping of a kind that is expected; None where a mistake was reported instead.

        `problem` gives the code and the path with which an unreadable file is reported.
        """
        if filename not in self.trees:
            self.trees[filename] = self._parse(filename, named, problem)
        tree = self.trees[filename]
        kind = None if tree is None else file_kind(tree)
        if kind is not None and kind not in expected:
            message = f"{filename} is a {kind}; expected a {one_of(expected)}"
            hint = "a search space is named by search.use" if kind == "search space" else "specs are named by extends"
            self.report(Problem("wrong-file-kind", problem.path, message, hint), named)
            return None
        return tree

    def _parse(self, filename: str, named: Node, problem: Problem) -> Node | None:
        text = self._text(filename, named, problem)
        if text is None:
            return None
        document, diagnostics = _parse_once(text, filename) if len(text) <= _SHORT else parse(text, filename)
        hides = is_foreign_text(text) if document is None else is_foreign(document.root)
        if hides and document is not None and isinstance(document.root.value, dict):
            message = f"{filename} is no spec, base or search space"
            self.report(Problem("wrong-file-kind", problem.path, message), named)
            return None
        if hides:  # it may hold secrets
            diagnostics = without_content(diagnostics)
        else:
            self.texts[filename] = text
        self.included.setdefault(filename, range_of(named.filename, named.span))
        chain = included_by(filename, self.included)
        self.diagnostics += [found._replace(related=(*found.related, *chain)) for found in diagnostics]
        if document is None:
            return None
        self.sources |= document.files
        if not isinstance(document.root.value, dict):
            message = f"an included file is a mapping, not {type_of(document.root)}"
            self.report(Problem("wrong-type", (), message), document.root)
            return None
        version = document.root.entry("craftc")
        if version is not None and type(version.value) is not int:
            # The including file's own version would take its place unseen.
            message = f'"craftc" is {show(version.plain())}; expected a whole number'
            self.report(Problem("wrong-type", ("craftc",), message), version)
        refusal = None if version is None else check_version(replace(document, included=self.included))
        if refusal is not None:
            self.diagnostics.append(refusal)
            return None
        return document.root

    def _text(self, filename: str, named: Node, problem: Problem) -> str | None:
        if len(self.trees) >= MAX_FILES:
            message = f"the spec is made of more than {MAX_FILES} files"
            self.report(Problem("too-many-files", problem.path, message), named)
            return None
        if self.stand_ins and (stand_in := self.stand_ins.get(os.path.realpath(filename))) is not None:
            return stand_in
        left = MAX_BYTES - sum(map(len, self.texts.values()))
        try:
            with open(filename, "rb") as file:
                data = file.read(left + 1)
            if len(data) > left:
                message = f"the files that the spec includes are larger than {MAX_BYTES >> 20} MiB together"
                self.report(Problem("too-many-files", problem.path, message), named)
                return None
            return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            reason = "not UTF-8 text"
        except OSError as error:
            reason = str(error.strerror)
        self.report(Problem(problem.code, problem.path, f"cannot read {filename}: {reason}"), named)
        return None


_SHORT = 1 << 16
"""Characters up to which a file's tree is kept for the next spec that includes it; trees take much more memory."""


@lru_cache(maxsize=16)
def _parse_once(text: str, filename: str) -> tuple[Document | None, list[Diagnostic]]:
    """The specs of one folder share bases and search spaces. Neither the tree nor the list may be changed."""
    return parse(text, filename)


def beside(named: Node) -> str:
    """The folder of the file in which a name stands: what relative paths there start from."""
    return os.path.dirname(named.filename)


def is_within(file: str, folder: str) -> bool:
    """Whether a real path is beneath another."""
    return os.path.join(file, "").startswith(os.path.join(folder, ""))


def find_base(name: str, named: Node, files: IncludedFiles) -> str | Problem:
    """The file that `extends` means: a path from the folder of the file that says it."""
    filename = os.path.normpath(os.path.join(beside(named), name))
    if (outside := files.outside(filename, ("extends",))) is not None:
        return outside
    if os.path.isfile(filename):
        return filename
    return Problem("unknown-base", ("extends",), f"there is no file {filename}", _near_file(name, filename))


def _named_in(folder: File, name: str) -> str | None:
    """The file of that name in a folder of search spaces."""
    usual = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    shouted = (path for path in sorted(folder.iterdir()) if path.stem == name and is_yaml(path.name))
    return next((str(path) for path in (*usual, *shouted) if path.is_file()), None)


def find_search_space(name: str, named: Node, files: IncludedFiles) -> str | Problem:
    """The file that `search.use` means: a path as above, or a name in the nearest `search_spaces` that has it."""
    place = ("search", "use")
    if "/" in name or is_yaml(name):
        written = os.path.normpath(os.path.join(beside(named), name))
        if (outside := files.outside(written, place)) is not None:
            return outside
        if os.path.isfile(written):
            return written
        message = f"there is no file {written}"
        return Problem("unknown-search-space", place, message, _near_file(name, written))
    folders = [*_folders(File(beside(named))), *filter(File.is_dir, [SHIPPED])]
    for folder in folders:
        if (filename := _named_in(folder, name)) is not None:
            # A folder that lies above the project is one to read from; a link in the project is none.
            above = [] if is_within(os.path.abspath(folder), files.roots[0]) else [str(folder)]
            return files.outside(filename, place, *above) or filename
    if not folders:
        message = f'there is no folder "{FOLDER}" in the spec\'s folder or above it to find {show(name)} in'
        return Problem("unknown-search-space", place, message)
    known = sorted(path.stem for folder in folders for path in folder.iterdir() if is_yaml(path.name))
    hint = did_you_mean(name, known) or f"known are {one_of(known)}"
    message = f'there is no "{name}{SUFFIXES[0]}" in {one_of(map(str, folders))}'
    return Problem("unknown-search-space", place, message, hint)


def file_called_defaults(named: Node) -> Problem | None:
    """That a file has the name which stands for the declared ranges: a spec may mean it."""
    found = (_named_in(folder, DEFAULTS) for folder in _folders(File(beside(named))))
    filename = next(filter(None, found), None)
    if filename is None:
        return None
    message = (
        f'"{DEFAULTS}" stands for the ranges that the spec\'s components declare, and {filename} has that name too'
    )
    hint = "name the file by its path, or give it another name"
    return Problem("unknown-search-space", ("search", "use"), message, hint)


def _near_file(name: str, filename: str) -> str:
    """The file beside that is most like the one missing, written as the name was."""
    folder, own = os.path.split(filename)
    try:
        known = sorted(entry for entry in os.listdir(folder or ".") if is_yaml(entry))
    except OSError:
        known = []
    near = nearest(os.path.splitext(own)[0], [os.path.splitext(entry)[0] for entry in known])
    if near is None:
        return "a path starts from the folder of the file that names it"
    file = next(entry for entry in known if os.path.splitext(entry)[0] == near)
    return f'did you mean "{os.path.join(os.path.dirname(name), file)}"?'


def _folders(folder: File) -> Iterator[File]:
    """Every `search_spaces` from the folder upwards, named as the folder is: relative where that is."""
    for level in range(len(folder.resolve().parts)):
        candidate = File(os.path.normpath(folder.joinpath(*[os.pardir] * level, FOLDER)))
        if candidate.is_dir():
            yield candidate
