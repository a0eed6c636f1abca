"""Fills the arguments of a command.

`{lr}` stands for a setting, `{{lr}}` for the text `{lr}`, and other braces are text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

TRIAL_SETTINGS: Final = {
    "seed": "the trial's seed",
    "folder": "the folder whose content is kept with the trial",
    "device": "what to train on, such as cpu or cuda:0",
}
"""What a command may be given beside its own settings, and what that is."""
STATE: Final = "state"
"""What the arguments of `resume` may be given besides: the file or folder that was named last as the state."""

_PLACEHOLDER = re.compile(r"\{\{(?P<text>[A-Za-z_]\w*)\}\}|\{(?P<name>[A-Za-z_]\w*)\}")


def placeholders(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The settings that arguments name, each with the index of its argument."""
    for index, argument in enumerate(arguments):
        yield from ((index, found["name"]) for found in _PLACEHOLDER.finditer(argument) if found["name"])


def filled(arguments: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """The arguments with values in their placeholders; KeyError for one that has none.

    A list becomes several arguments where its placeholder is all of one, and JSON within other text, as mappings do.
    """
    return [text for argument in arguments for text in _filled(argument, values)]


def _filled(argument: str, values: Mapping[str, Any]) -> list[str]:
    whole = _PLACEHOLDER.fullmatch(argument)
    if whole is not None and whole["name"] and isinstance(values[whole["name"]], list | tuple):
        return [_written(item) for item in values[whole["name"]]]
    return [_PLACEHOLDER.sub(lambda found: _replaced(found, values), argument)]


def _replaced(found: re.Match[str], values: Mapping[str, Any]) -> str:
    return f"{{{found['text']}}}" if found["text"] else _written(values[found["name"]])


def _written(value: Any) -> str:
    """A value as text: true, 0.1, text and paths as they are, and JSON for lists and mappings."""
    return str(value) if isinstance(value, str | PurePath) else json.dumps(value, ensure_ascii=False)
