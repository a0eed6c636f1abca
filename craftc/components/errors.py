"""Defines the one exception by which data reports what is wrong with it, in the user's words."""


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
