"""YAML text to the events of ruamel.yaml's pure parser, which knows where each began and ended."""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scanner import Scanner, ScannerError

MAX_TAG_LENGTH = 1000
"""ruamel decodes a tag in a time that grows with the square of its length."""


class _Scanner(Scanner):
    """The same tokens a tenth sooner: the parser asks eight times of each whether there are enough to look at."""

    _enough_at = -1

    def need_more_tokens(self) -> bool:
        # Tokens are only fetched where there were not enough, so the answer holds until one is taken.
        if self._enough_at == self.tokens_taken:
            return False
        if super().need_more_tokens():
            return True
        if self.tokens:
            self._enough_at = self.tokens_taken
        return False

    def check_token(self, *choices: Any) -> bool:
        while self.need_more_tokens():
            self.fetch_more_tokens()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def scan_tag(self) -> Any:
        token = super().scan_tag()
        if token.end_mark.index - token.start_mark.index > MAX_TAG_LENGTH:
            raise ScannerError(None, None, "found a tag, which no spec has, and a long one", token.start_mark)
        return token


def yaml_events(text: str) -> Iterator[Any]:
    """Raises YAMLError, and ValueError on some odd escapes and directives, as far as the text was readable."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    yield from yaml.parse(text)
