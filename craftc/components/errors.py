"""Defines the exception by which data reports what is wrong with it, and phrases for its messages."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from craftc.compiler.data_files import encodings
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import format_path


class DataError(Exception):
    """A problem with the data that the user can mend.

    Args:
        code: Permanent name: data-unreadable, empty-split, class-missing-from-train or data-mismatch.
        message: What is wrong, with the value; one sentence.
        hint: What to do about it.
        place: Where in the spec it is to be mended, dotted: `data.source.path`.

    `others` are further problems that were found with it.
    """

    def __init__(self, code: str, message: str, hint: str = "", place: str = "data.source") -> None:
        super().__init__(code, message, hint, place)
        self.code = code
        self.message = message
        self.hint = hint
        self.place = place
        self.others: tuple[DataError, ...] = ()

    @property
    def all(self) -> "tuple[DataError, ...]":
        """This problem and the others."""
        return (self, *self.others)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


@dataclass(frozen=True)
class DataWarning:
    """What a user should know of the data, and that keeps nothing from being trained; as a DataError has it."""

    code: str
    message: str
    hint: str = ""
    place: str = "data.source"


def raise_all(errors: Iterable[DataError]) -> None:
    """Raise the first, with all that follow beside it; nothing where there are none."""
    found = list(errors)
    if found:
        raise joined(found)


def joined(errors: Iterable[DataError]) -> DataError:
    """The first of them, at least one, with all that follow beside it."""
    first, *others = [each for error in errors for each in error.all]
    first.others = tuple(others)
    return first


@contextmanager
def added_to(errors: list[DataError]) -> Iterator[None]:
    """Takes up the errors that are raised within, so that what does not depend on it is checked as well."""
    try:
        yield
    except DataError as error:
        errors += error.all


def raised(problems: Iterable[Problem]) -> tuple[DataWarning, ...]:
    """The warnings among them, unless there are errors, which are raised."""
    warnings, errors = [], []
    for problem in problems:
        told = problem.code, problem.message, problem.hint or "", format_path(problem.path)
        if problem.severity == "error":
            errors.append(DataError(*told))
        else:
            warnings.append(DataWarning(*told))
    raise_all(errors)
    return tuple(warnings)


def type_name(value: object) -> str:
    """`an int`, `a Tensor`."""
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def not_utf8(path: Path, error: UnicodeDecodeError, where: str = "") -> DataError:
    """The error, with the command that converts the file. `where` the byte is, if that is known."""
    return DataError("data-unreadable", *encodings.not_utf8(error, str(path), path.name, where), "data.source.path")
