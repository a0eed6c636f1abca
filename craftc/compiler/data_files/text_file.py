"""The file of a `text_file` source, as far as it is read: that it is a text, and of more than one character."""

import codecs
from pathlib import Path

from craftc.compiler.data_files.encodings import not_utf8
from craftc.compiler.data_files.seen import NOTHING, Seen, mistaken
from craftc.compiler.reading.problem import Problem


def look_at_text(path: Path, shown: str, most_bytes: int) -> Seen:
    """What `most_bytes` of the file show; messages call it `shown`."""
    if path.is_dir():
        return mistaken(f"{shown} is a folder, and text_file reads a file", "name the file in it")
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError:
        return NOTHING
    is_whole = len(content) <= most_bytes
    try:
        # A letter at the end of what was read may be torn.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=is_whole)
    except UnicodeDecodeError as error:
        return mistaken(*not_utf8(error, shown, path.name))
    if is_whole and not text:
        return mistaken(f"{shown} is empty", "name another file")
    if is_whole and len(set(text)) == 1:
        hint = "there is nothing to predict; take another text"
        return Seen((Problem("single-class", ("data", "source"), f"all characters of {shown} are {text[0]!r}", hint),))
    return NOTHING
