"""Finds the line of the user's own code that an exception came from."""

import sys
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

CRAFTC = Path(__file__).parents[1]
STANDARD = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))
INSTALLED = ("site-packages", "dist-packages")


def own_line(error: BaseException) -> str:
    """`project/models.py:31`, the last line of the traceback that is neither craftc's nor installed; "" without one.

    The path starts from the folder that it was imported from.
    """
    seen: BaseException | None = error
    while seen is not None:
        for frame, line in reversed(list(traceback.walk_tb(seen.__traceback__))):
            if _is_own(frame):
                return f"{_shortened(Path(frame.f_code.co_filename))}:{line}"
        # SyntaxError is raised by the importer, and says itself where.
        if isinstance(seen, SyntaxError) and seen.filename and seen.lineno:
            return f"{_shortened(Path(seen.filename))}:{seen.lineno}"
        seen = seen.__cause__
    return ""


def told(error: BaseException) -> str:
    """The class of an exception and the first line of what it says, with its place in the user's own code."""
    text = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
    line = own_line(error)
    return f"{text} ({line})" if line else text


def _is_own(frame: FrameType) -> bool:
    path = Path(frame.f_code.co_filename)
    if not path.is_absolute() or any(part in INSTALLED for part in path.parts):
        return False
    return not any(path.is_relative_to(folder) for folder in (CRAFTC, *STANDARD))


def _shortened(path: Path) -> Path:
    """Relative to the first folder of the import path that holds it."""
    folders = (Path(entry) for entry in sys.path if entry)
    return next((path.relative_to(folder) for folder in folders if path.is_relative_to(folder)), path)
