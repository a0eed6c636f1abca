"""Plain values to YAML, by ruamel.yaml, in a form that every reader of YAML takes for the same."""

import io
import re
import sys
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.emitter import Emitter
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*(:[\w./+-]+)*( [\w./+-]+(:[\w./+-]+)*)*", re.ASCII)
# What one reader of YAML or another takes for something else than text.
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\xa0\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]')


class _Emitter(Emitter):
    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """On one line. Letters of all scripts as they are; escaped is what is not seen, or turns a line around."""
        self.write_indicator(f'"{_ESCAPED.sub(_escape, text)}"', True)


class _Representer(RoundTripRepresenter):
    def represent_none(self, data: None) -> ScalarNode:
        """Written out: the round-trip form is a key without a value."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def text_of(value: CommentedMap | CommentedSeq) -> str:
    """A document of what `styled` made, with its comments; ends with a line break."""
    yaml = YAML()
    yaml.Emitter = _Emitter
    yaml.Representer = _Representer
    yaml.width = sys.maxsize
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def styled(value: Any) -> Any:
    """A plain value for a document: lists and mappings on one line, text in quotes where a reader may misread it."""
    if isinstance(value, dict):
        mapping = CommentedMap((styled(key), styled(item)) for key, item in value.items())
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list | tuple):
        sequence = CommentedSeq(map(styled, value))
        sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and (not _PLAIN.fullmatch(value) or value.lower() in _WORDS):
        return DoubleQuotedScalarString(value)
    return value


def on_one_line(value: Any) -> str:
    """A value as it stands in a document."""
    return text_of(styled([value]))[1:-2]


def in_comment(text: str) -> str:
    """Text of the user's for a comment, which ends with its line."""
    return _ESCAPED.sub(lambda found: found[0] if found[0] in '"\\' else "\ufffd", text)


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in '"\\':
        return f"\\{char}"
    return "\\n" if char == "\n" else f"\\u{ord(char):04x}"
