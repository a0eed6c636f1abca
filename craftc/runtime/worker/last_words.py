"""Says, of a process that is ended without a word, what it could not say any more: in a process of its own.

Ray's C++ core, a kill and a full memory end a process at once: no handler of Python runs.
Run as a script with nothing of craftc imported: `python last_words.py TEXT`; an input that ends without a byte means
that the process is gone.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def last_words(text: str, stream: TextIO) -> Iterator[None]:
    """Have `text` written to the stream where this process ends within the block.

    Nothing is started for a stream that leads to no file.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        yield
        return
    # In a session of its own, so that Ctrl-C in the terminal does not reach it.
    speaker = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, text],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=descriptor,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # Somebody may have killed it.
        with suppress(OSError):
            speaker.communicate(b".")


if __name__ == "__main__":
    if not sys.stdin.buffer.read():
        sys.stderr.write(sys.argv[1] + "\n")
