"""Writes a value of a choice as text, so that different values are different texts."""

import json
from typing import Any


def choice_label(value: Any) -> str:
    """`adam`, `1`, `1.0`, `"1"`, `true`, `null`: JSON, but for a text that reads as nothing else in JSON."""
    if isinstance(value, str) and not _is_json(value):
        return value
    return json.dumps(value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
