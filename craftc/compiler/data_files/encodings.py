"""Bytes that are no UTF-8 -> what they look to be, and the command that converts them."""

_PACKED = {b"\x1f\x8b": "gzip", b"PK": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstandard"}
_OTHERS = {b"\xd0\xcf\x11\xe0": "an Excel workbook", b"PAR1": "a Parquet file", b"\x89HDF": "an HDF5 file"}
_UNICODE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_MOST_NUL = 0.1
"""Of a text; binary numbers have more."""


def not_utf8(error: UnicodeDecodeError, shown: str, name: str, where: str = "") -> tuple[str, str]:
    """A message on the file that messages call `shown`, and what to do. `where` the byte is, if that is known."""
    content = bytes(error.object)
    for start, kind in _PACKED.items():
        if content.startswith(start):
            return f"{shown} is packed ({kind})", "name it by its suffix, such as .csv.gz, or unpack it"
    for start, kind in _OTHERS.items():
        if content.startswith(start):
            return f"{shown} is {kind}, not a text", "export it as CSV, UTF-8"
    for start, encoding in _UNICODE.items():
        if content.startswith(start):
            return f"{shown} is {encoding}, not UTF-8", f"convert it: iconv -f {encoding} -t UTF-8 {name}"
    message = f"{shown} is no UTF-8: {where or 'a byte'} is {content[error.start]:#04x}"
    if content[:4096].count(0) > _MOST_NUL * len(content[:4096]):
        return message, "it looks to be no text at all; check the path"
    return message, f"convert it: iconv -f ISO-8859-1 -t UTF-8 {name}, if that is what it is"
