"""A line of JSON at a time, both ways, between a program's process and the one that started it."""

import json
import socket
from typing import Any

MOST_BYTES = 2**20


class ClosedError(Exception):
    """The other side has ended."""


class Channel:
    """One end of a pair of sockets. `receive` of one end returns what `send` of the other was given."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._received = b""

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    @property
    def has_line(self) -> bool:
        """Whether a whole message is here already."""
        return b"\n" in self._received

    def send(self, message: dict[str, Any]) -> None:
        """Raises ClosedError."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise ClosedError from error

    def receive(self) -> dict[str, Any]:
        """Waits for a message. Raises ClosedError; what was sent in part is dropped."""
        while not self.has_line:
            try:
                more = self._socket.recv(MOST_BYTES)
            except OSError as error:
                raise ClosedError from error
            if not more:
                raise ClosedError
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """The other end receives no more."""
        self._socket.close()
