"""Defines the exception by which data reports what is wrong with it, and phrases for its messages."""

from collections.abc import Iterable
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
    """

    def __init__(self, code: str, message: str, hint: str = "", place: str = "data.source") -> None:
        super().__init__(code, message, hint, place)
        self.code = code
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


@dataclass(frozen=True)
class DataWarning:
    """What a user should know of the data, and that keeps nothing from being trained; as a DataError has it."""

    code: str
    message: str
    hint: str = ""
    place: str = "data.source"


def raised(problems: Iterable[Problem]) -> tuple[DataWarning, ...]:
    """The warnings among them, unless one of them is an error, which is raised."""
    warnings = []
    for problem in problems:
        place = format_path(problem.path)
        if problem.severity == "error":
            raise DataError(problem.code, problem.message, problem.hint or "", place)
        warnings.append(DataWarning(problem.code, problem.message, problem.hint or "", place))
    return tuple(warnings)


def type_name(value: object) -> str:
    """`an int`, `a Tensor`."""
    name = type(value).__name__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}"


def not_utf8(path: Path, error: UnicodeDecodeError, where: str = "") -> DataError:
    """The error, with the command that converts the file. `where` the byte is, if that is known."""
    return DataError("data-unreadable", *encodings.not_utf8(error, str(path), path.name, where), "data.source.path")
