"""Reads a text, from a file or from Python itself, as tokens of one character."""

from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Len

from craftc.compiler.planning.identity import shipped_text
from craftc.components.bounds import PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, not_utf8
from craftc.components.sources.tokens import Tokens, characters

_DOCS_MIN_COUNT = 5
"""Of the four characters that are rarer, each is in one topic alone."""

Stride = PositiveInt | Literal["none"]


@declares(gives=("text",), gives_targets=("token",), gives_columns=("x",))
def text_file(
    *, path: Path, context_length: PositiveInt = 128, min_count: PositiveInt = 1, stride: Stride = "none"
) -> Tokens:
    """A text, each character a token: a model learns to predict it from those before.

    Splits are stretches of the text, train its beginning and test its end, cut into windows that do not overlap, or
    begin `stride` characters after each other; no window has characters of two splits. The vocabulary is that of
    train. Line ends of any system count as one character, and a byte order mark as none.

    Args:
        path: The file, UTF-8.
        context_length: Characters that a model is given at once; each sample is a window of as many.
        min_count: Characters that train has less often than this become one token, unknown, which also stands for those
            of other splits that train does not have at all.
        stride: Characters from the beginning of a window to that of the next, at most context_length. In the splits
            other than train every character but the first is then measured once, with at least context_length - stride
            before it, or all that there are. none: windows do not overlap, and what is left at the end is left out.

    Raises:
        DataError: No such file, or not UTF-8.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(Path(path), error, f"byte {error.start:,} (from 0)") from error
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise DataError("data-unreadable", message, "check the path", "data.source.path") from error
    return characters(text, context_length=context_length, min_count=min_count, stride=_number(stride))


@declares(gives=("text",), gives_targets=("token",), gives_columns=("x",))
def python_docs(
    *,
    context_length: PositiveInt = 128,
    sha256: Literal["infer"] | Annotated[str, Len(64, 64)] = "infer",
    stride: Stride = "none",
) -> Tokens:
    """English that ships with Python: the topics of `help()`, about 465,000 characters, each a token.

    Split and windowed as `text_file`; characters that train has fewer than five times are one token, unknown.

    Args:
        context_length: Characters that a model is given at once; each sample is a window of as many.
        sha256: Which text it is, since Pythons of different versions have different ones: infer that of this Python,
            a hash no other than that. It is part of a trial's identity.
        stride: As of `text_file`.

    Raises:
        DataError: This Python has no such text, or another.
    """
    text = check_digest(sha256)
    return characters(text, context_length=context_length, min_count=_DOCS_MIN_COUNT, stride=_number(stride))


def _number(stride: Stride) -> int | None:
    return None if stride == "none" else stride


def check_digest(sha256: str) -> str:
    """The text that ships with Python, where it is the one that is asked for. Raises DataError."""
    try:
        text = shipped_text.python_docs()
    except ImportError as error:
        message, hint = (
            f"this Python has no help texts: {error}",
            "name a text of your own: {kind: text_file, path: ...}",
        )
        raise DataError("data-unreadable", message, hint) from error
    if sha256 not in ("infer", shipped_text.digest(text)):
        message = f"the text of this Python is {shipped_text.digest(text)}, and {sha256} is asked for"
        hint = "use the Python that the trial was planned with, or leave sha256 out"
        raise DataError("data-mismatch", message, hint, "data.source.sha256")
    return text
