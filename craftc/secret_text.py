"""Recognizes secrets in texts: passwords and tokens in addresses, and tokens by the forms that their issuers gave them.

A spec is copied into plans, results, run folders and trackers, and messages end in logs: none of them is to hold one.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

MASK = "***"
_NAME = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE)S?(ID)?\d*(_|$)",
    re.IGNORECASE,
)
_QUERY = r"[?&;][\w.-]*(?:key|token|secret|passw|pwd|auth|sig|credential|session)[\w.-]*="


class _Form(NamedTuple):
    """One form of secrets: what it is called, texts of which one is in every text that holds it, and the pattern; what
    stands before the group `secret` is no part of it."""

    kind: str
    hints: tuple[str, ...]
    pattern: str


_FORMS = (
    _Form("a password in an address", ("://",), r"://(?P<secret>[^\s/?#@\"'<>]*:[^\s/?#\"'<>]+)@"),
    # A user name alone is one only where it is long: https://TOKEN@host, but git@host and abfss://container@account.
    _Form("a token in an address", ("://",), r"://(?P<secret>(?=[^\s/?#@:]*\d)[A-Za-z0-9_.~%-]{20,})@"),
    _Form("a token in the query of an address", ("?",), rf"(?i:{_QUERY})(?P<secret>(?!\*)[^\s&;#\"'<>]+)"),
    _Form("a private key", ("PRIVATE KEY",), r"(?P<secret>-----BEGIN [A-Z ]*PRIVATE KEY)"),
    _Form("an AWS access key", ("AKIA", "ASIA"), r"\b(?P<secret>(?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    _Form(
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,})",
    ),
    _Form("a GitLab token", ("glpat-",), r"\b(?P<secret>glpat-[\w-]{20,})"),
    _Form("a Slack token", ("xox",), r"\b(?P<secret>xox[abeprs]-[\w-]{10,})"),
    _Form("a Hugging Face token", ("hf_",), r"\b(?P<secret>hf_[A-Za-z0-9]{30,})"),
    _Form(
        "an API key",
        ("sk-", "_live_", "_test_", "SG.", "wandb_v"),
        r"\b(?P<secret>sk-[\w-]{20,}|[srp]k_(?:live|test)_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|wandb_v\d+_\w{20,})",
    ),
    _Form("a Google key", ("AIza", "ya29."), r"\b(?P<secret>AIza[\w-]{35}|ya29\.[\w-]{20,})"),
    _Form("a JSON web token", ("eyJ",), r"\b(?P<secret>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)"),
    _Form(
        "a token of a package registry",
        ("npm_", "pypi-", "dckr_pat_"),
        r"\b(?P<secret>npm_[A-Za-z0-9]{36}|pypi-[\w-]{32,}|dckr_pat_[\w-]{20,})",
    ),
    _Form("a token", ("dapi", "hvs."), r"\b(?P<secret>dapi[0-9a-f]{32}|hvs\.[\w-]{20,})"),
    _Form(
        "an authorization header",
        ("earer ", "EARER ", "asic ", "ASIC "),
        r"(?i:\b(?:bearer|basic) +)(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)",
    ),
)
_MIN_VALUE = 6
"""Characters of a secret whose occurrence in another value is no accident."""
_CHUNK = re.compile(r"[A-Za-z0-9+=]{20,}")
_CHANGE = re.compile(r"\d(?=[A-Za-z])|[A-Za-z](?=\d)")
_MIN_CHANGES = 4
"""Between letters and digits, of a word that looks drawn at random."""


def names_secret(name: str) -> bool:
    """Whether the name of an environment variable says that its value is a secret."""
    return _NAME.search(name) is not None


def secret_in(text: str) -> str | None:
    """What secret a text holds, in words; None where it holds none."""
    return next((form.kind for form in _possible(text) if _pattern(form.pattern).search(text)), None)


def secret_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Each secret of a text: what it is, in words, and where it begins and ends."""
    for form in _possible(text):
        for found in _pattern(form.pattern).finditer(text):
            yield form.kind, *found.span("secret")


def secret_value(value: str, environment: Mapping[str, str], *, is_name: bool) -> str | None:
    """What makes a value of the environment a secret, in words; None where nothing does.

    It has the form of one, or holds what a variable with a secret's name holds, or, where it should be a name, it
    looks drawn at random. Paths may hold hashes.
    """
    if (kind := secret_in(value)) is not None:
        return kind
    for name, other in environment.items():
        # A path, as of GOOGLE_APPLICATION_CREDENTIALS, says where a secret is.
        if names_secret(name) and len(other) >= _MIN_VALUE and other[0] not in "/~." and other in value:
            return f"the value of {name}"
    is_random = is_name and any(len(_CHANGE.findall(chunk)) >= _MIN_CHANGES for chunk in _CHUNK.findall(value))
    return "a random token" if is_random else None


def masked(text: str, *, keep_length: bool = False) -> str:
    """The text with stars for every secret: three, or as many as it has characters."""

    def stars(found: re.Match[str]) -> str:
        first, last = (place - found.start() for place in found.span("secret"))
        return found[0][:first] + ("*" * (last - first) if keep_length else MASK) + found[0][last:]

    for form in _possible(text):
        text = _pattern(form.pattern).sub(stars, text)
    return text


def bare_address(address: str) -> str:
    """An address without user, password, query and fragment, as it may be stored and shown."""
    scheme, mark, rest = address.rpartition("://")
    # Whatever characters a password holds, the host stands behind the last @.
    return scheme + mark + re.split(r"[?#]", rest.rpartition("@")[2], maxsplit=1)[0]


def _possible(text: str) -> Iterator[_Form]:
    """The forms whose patterns are worth a look: compiling them all would take 5 ms of every start."""
    return (form for form in _FORMS if any(hint in text for hint in form.hints))


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
