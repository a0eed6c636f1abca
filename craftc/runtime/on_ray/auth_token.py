"""Has Ray send this machine's authentication token to a cluster that asks for one.

`ray start` makes a cluster ask for a token as soon as one lies in `~/.ray/auth_token`, where a private Ray leaves one;
but neither an explicit address nor the job client shows it of its own accord (Ray 2.60). A cluster without tokens takes
no notice of one.
"""

import os
from pathlib import Path

MODE = "RAY_AUTH_MODE"


def use_auth_token() -> None:
    """Have Ray show its token where there is one and the user has not decided. Call before importing ray."""
    if MODE not in os.environ and _has_token():
        os.environ[MODE] = "token"


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return (Path(named) if named else Path.home() / ".ray" / "auth_token").is_file()
