"""Recognizes errors that say that a disk is full, whichever library raises them."""

import errno

_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
_SAID = ("No space left on device", "Disk quota exceeded", "database or disk is full")
"""What is left of the number where an error comes from SQLite or another process."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from or while handling, says so."""
    return any(_is_full(each) for each in _chain(error))


def place_of(error: BaseException) -> str | None:
    """The file that could not be written; None where no error of the chain names one."""
    names = (each.filename for each in _chain(error) if isinstance(each, OSError) and each.errno in _NUMBERS)
    return next((str(name) for name in names if name), None)


def _is_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in _NUMBERS) or any(said in str(error) for said in _SAID)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if each is not None and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__]
            waiting += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return found
