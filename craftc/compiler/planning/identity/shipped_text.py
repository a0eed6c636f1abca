"""A text that comes with Python -> the text, and what tells it from that of another Python.

The compiler knows it because a trial's identity holds what it was trained on: the text differs between versions of
Python, so that its name does not say which one it is.
"""

import hashlib
from functools import lru_cache
from typing import Any

SHIPPED = ("python_docs", "python_words")
"""The sources that give it, or words of it."""


@lru_cache(maxsize=1)
def python_docs() -> str:
    """The topics of Python's `help()` in the order of their names. Raises ImportError where Python comes without."""
    from pydoc_data.topics import topics

    return "\n\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def digest(text: str) -> str:
    """Hex SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def settle(source: dict[str, Any]) -> None:
    """Write which text it is into a lowered `data.source` that leaves it open; one that cannot be read stays open."""
    if source["kind"] in SHIPPED and source["sha256"] == "infer":
        try:
            source["sha256"] = digest(python_docs())
        except ImportError:
            return
