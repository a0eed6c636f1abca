"""Decides whether W&B is online, offline or disabled, by the spec and the environment. Needs no wandb."""

import netrc
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from craftc.runtime.observers.observer import Warn

Mode = Literal["online", "offline", "disabled"]

DEFAULT_SERVER = "https://api.wandb.ai"

# What says how the server is reached. All other WANDB_* variables, such as WANDB_RUN_ID, WANDB_SWEEP_ID or
# WANDB_PROJECT, would make runs something else than the spec says.
CONNECTION_VARIABLES = frozenset(
    f"WANDB_{name}"
    for name in (
        "API_KEY", "BASE_URL", "IDENTITY_TOKEN_FILE", "CREDENTIALS_FILE", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR",
        "HTTP_TIMEOUT", "INSECURE_DISABLE_SSL", "X_EXTRA_HTTP_HEADERS", "DEBUG", "ERROR_REPORTING",
    )
)  # fmt: skip


def resolve_mode(mode: Mode | Literal["auto"], environ: Mapping[str, str], warn: Warn) -> Mode:
    """`auto` is online with an API key on this machine and offline without; online without a key is offline too, with
    a warning. WANDB_MODE may keep `auto` from going online."""
    if mode == "auto":
        if environ.get("WANDB_MODE") == "disabled":
            return "disabled"
        return "online" if has_api_key(environ) and environ.get("WANDB_MODE") != "offline" else "offline"
    if mode == "online" and not has_api_key(environ):
        warn("W&B is offline, for there is no API key: set WANDB_API_KEY or run `wandb login`")
        return "offline"
    return mode


def has_api_key(environ: Mapping[str, str]) -> bool:
    """Whether WANDB_API_KEY is set, or a netrc file has a password for the server."""
    if environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(environ.get("WANDB_BASE_URL") or DEFAULT_SERVER).hostname or ""
    return any(_has_password(path, host) for path in _netrc_paths(environ))


def _netrc_paths(environ: Mapping[str, str]) -> list[Path]:
    if "NETRC" in environ:
        return [Path(environ["NETRC"]).expanduser()]
    home = Path(environ.get("HOME") or Path.home())
    return [home / ".netrc", home / "_netrc"]


def _has_password(path: Path, host: str) -> bool:
    try:
        entry = netrc.netrc(path).hosts.get(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return False
    return entry is not None and bool(entry[2])
