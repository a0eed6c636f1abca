"""Short texts within brackets and braces: whether they read as what they are meant to be."""

import re

from yaml.error import YAMLError
from yaml.events import MappingStartEvent, ScalarEvent, SequenceStartEvent

from craftc.compiler.reading.document import Node
from craftc.compiler.reading.yaml_events import yaml_events

MAX_READ = 2_000
"""Characters of a text that is read again to make sure of a mend."""
_PLAIN = re.compile(r"[^\W\d][\w./-]*")
_OTHER_VALUES = {"null", "true", "false"}


def is_plain_text(name: str) -> bool:
    """Whether a name is text, the same in quotes and without, in a key and in a value, in braces and in lines."""
    return _PLAIN.fullmatch(name) is not None and name.lower() not in _OTHER_VALUES


def scalars_in(text: str) -> list[str] | None:
    """The texts in a list or mapping in brackets or braces, keys and values in turn; None where there is more in it."""
    try:
        events = list(yaml_events(text)) if len(text) <= MAX_READ else []
    except (YAMLError, ValueError, OverflowError):
        return None
    # Of the stream, the document and the collection each the start and the end.
    scalars = [event.value for event in events if isinstance(event, ScalarEvent) and event.anchor is event.tag is None]
    is_flat = sum(isinstance(event, MappingStartEvent | SequenceStartEvent) for event in events) == 1
    return scalars if is_flat and len(events) == len(scalars) + 6 else None


def fits_in_braces(node: Node, written: str) -> bool:
    """Whether what is written of a value reads the same between braces as where it stands."""
    if isinstance(node.value, dict | list):
        return node.is_flow and written.startswith(("{", "["))
    if not written or "\n" in written or "\r" in written or written[0] in "|>*&!":
        return False
    is_quoted = written[0] in "\"'"
    return scalars_in(f"{{a: {written}}}") == ["a", node.value if is_quoted else written]
