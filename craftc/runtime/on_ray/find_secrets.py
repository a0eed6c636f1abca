"""Finds what looks like a secret in files that are to be sent, by the rules of detect-secrets and of craftc."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from craftc.secret_text import secret_in

MAX_FILE_BYTES = 1 << 20
"""Of a file that is looked through: what is larger is data."""
MAX_BYTES = 16 << 20
"""Of all files together: a megabyte takes half a second."""
MAX_LINE = 4096
SETTINGS = (".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".sh", ".txt")
"""Files in which a text needs no quotes."""
_HEAD = 8192
"""Bytes in which a file that is no text shows it."""
_KEYWORD = re.compile(r"passw|pwd|secret|token|api.?key|auth.?key|client.?key|private.?key", re.IGNORECASE)
_VALUE = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])\S{12,}")
"""What the value behind such a word looks like where it is a secret: `token = "<pad>"` is none."""
Found = tuple[str, int, str]
"""The file, the line, and what it looks like."""


def secrets_in(root: Path, names: Sequence[str], max_bytes: int = MAX_BYTES) -> Iterator[Found]:
    """The first line of each file, below the root, that looks as if it held a secret. Of very much text, the smallest
    files up to `max_bytes` together are looked through: code and settings are small."""
    sizes = sorted((size, name) for name in names if (size := (root / name).stat().st_size) <= MAX_FILE_BYTES)
    num_bytes = accumulate(size for size, _ in sizes)
    looked_through = [name for (_, name), total in zip(sizes, num_bytes, strict=True) if total <= max_bytes]
    for name in sorted(looked_through):
        found = next(_of_file(root / name, is_settings=name.lower().endswith(SETTINGS)), None)
        if found is not None:
            yield name, *found


def _of_file(path: Path, *, is_settings: bool) -> Iterator[tuple[int, str]]:
    content = path.read_bytes()
    if b"\0" in content[:_HEAD]:
        return
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        kind = _kind(line[:MAX_LINE], is_settings)
        if kind is not None:
            yield number, kind


def _kind(line: str, is_settings: bool) -> str | None:
    if (own := secret_in(line)) is not None:
        return own
    by_form, by_keyword = _detectors()
    for detector in by_form:
        if any(detector.analyze_string(line)):
            return str(detector.secret_type)
    if _KEYWORD.search(line):
        found = by_keyword(line, is_settings)
        return "a value behind a word for secrets" if any(map(_VALUE.fullmatch, found)) else None
    return None


@cache
def _detectors() -> tuple[tuple[Any, ...], Callable[[str, bool], Iterator[str]]]:
    """Those whose secrets have a form of their own, and the one that goes by the words before a value.

    Strings of high entropy are left to others: the files of an experiment hold hashes.
    """
    from detect_secrets.plugins.artifactory import ArtifactoryDetector
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.basic_auth import BasicAuthDetector
    from detect_secrets.plugins.discord import DiscordBotTokenDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.jwt import JwtTokenDetector
    from detect_secrets.plugins.keyword import CONFIG_DENYLIST_REGEX_TO_GROUP, KeywordDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.npm import NpmDetector
    from detect_secrets.plugins.private_key import PrivateKeyDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector
    from detect_secrets.plugins.twilio import TwilioKeyDetector

    by_form = (
        ArtifactoryDetector, AWSKeyDetector, AzureStorageKeyDetector, BasicAuthDetector, DiscordBotTokenDetector,
        GitHubTokenDetector, JwtTokenDetector, MailchimpDetector, NpmDetector, PrivateKeyDetector, SendGridDetector,
        SlackDetector, SquareOAuthDetector, StripeDetector, TwilioKeyDetector,
    )  # fmt: skip
    keyword = KeywordDetector()

    def by_keyword(line: str, is_settings: bool) -> Iterator[str]:
        yield from keyword.analyze_string(line, CONFIG_DENYLIST_REGEX_TO_GROUP if is_settings else None)

    return tuple(detector() for detector in by_form), by_keyword
