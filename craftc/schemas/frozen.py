"""The base of every value that is written to disk or handed to another process: immutable, strict about types, and
closed to undeclared keys."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")
List = Annotated[tuple[T, ...], Field(strict=False)]
"""A tuple, which JSON has as a list."""


class Frozen(BaseModel):
    """A value. Strict, so that `epochs: "20"` is a mistake and not a number; no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=False)
