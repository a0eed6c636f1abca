"""Makes texts of the user's code fit for files, streams and other processes."""


def plain(text: str, most: int) -> str:
    """The text with lone surrogates, which no file takes, as their numbers; of more than `most` characters its
    beginning and its end."""
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]} ... ({len(text) - 2 * half:,} characters left out) ... {text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()
