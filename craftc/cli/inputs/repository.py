"""A file's name as its repository has it, for programs that show mistakes beside the code."""

import os
from urllib.parse import quote


def repository_root() -> str:
    """Where the repository is checked out: what GitHub's runner says, or the working directory."""
    return os.environ.get("GITHUB_WORKSPACE") or os.getcwd()


def name_in_repository(filename: str) -> str:
    """The path from the repository's root, with slashes; the absolute path of a file that lies elsewhere."""
    # The working directory may be reached through a link, and the root may be named through one.
    folder, name = os.path.split(os.path.abspath(filename))
    path = os.path.join(os.path.realpath(folder), name)
    relative = os.path.relpath(path, os.path.realpath(repository_root()))
    outside = relative == os.pardir or relative.startswith(os.pardir + os.sep)
    return (path if outside else relative).replace(os.sep, "/")


def uri_in_repository(filename: str) -> str:
    """The same as a URI: relative to the root, or `file:` for a file that lies elsewhere."""
    name = name_in_repository(filename)
    return f"{'file://' if name.startswith('/') else ''}{quote(os.fsencode(name))}"
