"""Says of a project which files are sent, which are not, and what a user should know of both."""

from craftc.compiler.render.text import printable
from craftc.runtime.on_ray.find_secrets import secrets_in
from craftc.runtime.on_ray.project_files import Packed

MAX_TOLD = 5
"""Names that one warning lists."""


def listing(packed: Packed) -> str:
    """The files that are sent, one a line; then `left out:`, and those that are not. A folder ends with a slash."""
    names = [*packed.files, "left out:", *(path for path, _ in packed.left_out)]
    return "\n".join(map(printable, names))


def notes(packed: Packed) -> tuple[str, ...]:
    """Warnings, a line each: of links, of files that stay since they may hold secrets, and of what looks like one."""
    found = []
    if links := packed.that_are("link"):
        found.append(
            f"warning: links out of the project, to folders and to files that stay are not sent: {_some(links)}"
        )
    if secret := packed.that_are("secret"):
        advice = "a line such as !NAME in a .craftcignore has one sent"
        found.append(f"warning: what may hold secrets is not sent: {_some(secret)}; {advice}")
    lines = [f"{name}:{line} ({kind})" for name, line, kind in secrets_in(packed.root, packed.files)]
    if lines:
        advice = "take it out, or leave the file out by a .craftcignore"
        found.append(f"warning: what is sent looks as if it held a secret: {_some(lines)}; {advice}")
    return tuple(found)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    return ", ".join(map(printable, names[:MAX_TOLD])) + more
