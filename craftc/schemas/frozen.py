"""The base of every value: immutable, strict about types, and closed to keys that nobody declared."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value. Strict, so that `epochs: "20"` is a mistake and not a number; no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=False)
