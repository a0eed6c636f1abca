"""Names the characters of a text that cannot be seen, or that look like others."""

from collections.abc import Iterator


def visible(text: str) -> str:
    """The text with each character that cannot be seen by its name: `epo<U+200B ZERO WIDTH SPACE>chs`."""
    return text if text.isprintable() else "".join(_named(char) for char in text)


def _named(char: str) -> str:
    if char.isprintable():
        return char
    if char == "\n":
        return "\\n"
    return f"<{_name(char)}>"


def _name(char: str) -> str:
    import unicodedata  # only where there is such a character to name

    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


def look_alikes(text: str, known: str) -> str | None:
    """What to say of the letters of a text that are none of those of the known name, and look like them."""
    if text.isascii() or not known.isascii():
        return None
    odd = list(_odd(text))
    return f"it holds {', '.join(odd[:3])}" if odd else None


def _odd(text: str) -> Iterator[str]:
    for char in dict.fromkeys(text):
        if not char.isascii() and char.isprintable():
            yield _name(char)
