"""Has Ray send this machine's authentication token to a cluster that asks for one.

`ray start` makes a cluster ask for a token as soon as one lies in `~/.ray/auth_token`, where a private Ray leaves one;
but neither an explicit address nor the job client shows it of its own accord (Ray 2.60). Where a cluster asks for none,
a driver must not show one either: it would ask the cluster's own processes for it, and no job would ever begin.

Ray reads the setting when it is imported. Set after that, it would hold for the processes that Ray starts and not for
this one, and a private Ray would refuse its own driver.
"""

import os
import sys
from pathlib import Path

MODE = "RAY_AUTH_MODE"
ANSWER_TIMEOUT_S = 5.0


def use_auth_token(address: str | None = None) -> None:
    """Have Ray show its token where there is one and the user has not decided, unless the cluster at `address`,
    `host:port` or `auto`, answers without one. Too late once Ray is imported, when it does nothing."""
    if "ray" in sys.modules or MODE in os.environ or not _has_token():
        return
    named = os.environ.get("RAY_ADDRESS") if address == "auto" else address
    if named is None or not _answers_without(named):
        os.environ[MODE] = "token"
    elif address == "auto":
        # There Ray would show the token of its own accord.
        os.environ[MODE] = "disabled"


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return (Path(named) if named else Path.home() / ".ray" / "auth_token").is_file()


def _answers_without(address: str) -> bool:
    """Whether the cluster says that it is alive to one who shows no token: False too where it says nothing."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        # What `ray health-check` asks; an empty message is that of no arguments.
        ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        try:
            ask(b"", timeout=ANSWER_TIMEOUT_S)
        except grpc.RpcError:
            return False
    return True
