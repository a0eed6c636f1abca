"""Turns what a part of a trial raises, the user's code included, into a TrainingError that names the part."""

from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import shorten

from torch import Tensor

from craftc.components.errors import DataError, type_name
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.out_of_memory import is_out_of_memory

MAX_CHARACTERS = 300
"""Of what an exception says, whose lines are put into one; the log has all of it."""

GUIDE = "docs/how_to/own_code.md says what craftc expects"


@contextmanager
def errors_of(part: str, *, code: str, hint: str = "") -> Iterator[None]:
    """Raises TrainingError `code` for whatever is raised within, but for craftc's own errors, and for a memory that is
    full, which is no part's fault."""
    try:
        yield
    except (TrainingError, DataError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = shorten(str(error), MAX_CHARACTERS, placeholder=" ...")
        message = f"{part}: {type(error).__name__}: {said}" + (f"; {hint}" if hint else "")
        raise TrainingError(code, message) from error


def described(value: object) -> str:
    """A value that was not expected, by its type and shape: `a tuple of Tensor (2, 10) and NoneType`."""
    if isinstance(value, Tensor):
        return f"a Tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list) and value:
        parts = [f"Tensor {tuple(part.shape)}" if isinstance(part, Tensor) else type(part).__name__ for part in value]
        return f"a {type(value).__name__} of {' and '.join(parts[:4])}{' and more' if len(parts) > 4 else ''}"
    if isinstance(value, dict):
        return f"a {type(value).__name__} with {', '.join(map(str, list(value)[:4])) or 'nothing'}"
    return "None" if value is None else type_name(value)
