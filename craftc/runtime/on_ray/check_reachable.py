"""Checks that something listens at a cluster's address."""

import socket
from urllib.parse import urlsplit

from craftc.runtime.jobs.backend import BackendError
from craftc.secret_text import bare_address

CONNECT_TIMEOUT_S = 10.0
USUAL_PORTS = {"http": 80, "https": 443, "ray": 10001}


def check_reachable(address: str) -> None:
    """Raise BackendError where nobody answers: Ray itself would try for 20 to 80 s, and say less.

    `address` is `host:port`, with `http://`, `https://` or `ray://` before it or not. `auto` is not checked.
    """
    if address == "auto":
        return
    address = bare_address(address)
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        host, port = parts.hostname, parts.port or USUAL_PORTS.get(parts.scheme)
    except ValueError as error:
        raise BackendError("cluster-unreachable", f'"{address}" is no address: {error}') from None
    if not host or port is None:
        raise BackendError("cluster-unreachable", f'"{address}" is no address; expected a host and a port, or auto')
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BackendError("cluster-unreachable", f'no Ray cluster answers at "{address}": {reason}') from None
