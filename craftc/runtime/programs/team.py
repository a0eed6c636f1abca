"""What the processes of a trial with several workers say to each other: the first decides, the others follow.

The programs make a process group of their own; this is beside it, so that a program may report in its first process
alone, or in all of them. Both meet at one store of keys, which the first worker holds from its start to its end: a port
looked for here, and listened at by a program seconds later, may be another's by then.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from craftc.training.programs.kept_state import Kept

if TYPE_CHECKING:
    from craftc.training.parts.worker_group import WorkerGroup

POLL = timedelta(seconds=0.5)
_STOPS, _ENDED = "stops", "ended"


class Team:
    """Of one process alone: there is nobody to talk to."""

    size = 1

    def begin(self, kept: Kept | None, num_records: int) -> Mapping[str, str]:
        """Have the others begin from the same state; what their programs find in the environment."""
        return {}

    def decided(self, record: int, stop: str | None) -> None:
        """Whether the trial goes on behind a record."""

    @contextmanager
    def ended(self) -> Iterator[None]:
        """The trial is over behind it, unless an exception ends the workers."""
        yield


ALONE = Team()


class Leader(Team):
    """The first of several."""

    def __init__(self, workers: "WorkerGroup") -> None:
        self._workers = workers
        self.size = workers.size
        self._board: Any = None

    def begin(self, kept: Kept | None, num_records: int) -> Mapping[str, str]:
        """See Team.begin."""
        host = os.environ["MASTER_ADDR"]
        self._board = _store(host, 0, is_master=True)
        start = Start(host, self._board.port, num_records, kept)
        self._workers.share(start)
        return start.environment(self._workers)

    def decided(self, record: int, stop: str | None) -> None:
        """See Team.decided."""
        if stop is not None:
            self._board.set(_STOPS, stop)
        self._board.set(f"record/{record}", stop or "")

    @contextmanager
    def ended(self) -> Iterator[None]:
        """See Team.ended."""
        yield
        self._board.set(_ENDED, "")
        # Who hosts the board stays until everybody has read that.
        self._workers.share(None)


@dataclass(frozen=True)
class Start:
    """Where the store of the first worker is, and from where the programs go on."""

    host: str
    port: int
    num_records: int
    kept: Kept | None

    def environment(self, workers: "WorkerGroup") -> dict[str, str]:
        """The variables that torchrun sets; the last two have `init_process_group` use the store that is there."""
        known = {
            name: os.environ[name] for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK") if name in os.environ
        }
        given: dict[str, Any] = {"RANK": workers.rank, "WORLD_SIZE": workers.size}
        given |= {"MASTER_ADDR": self.host, "MASTER_PORT": self.port}
        given |= {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": 0}
        return known | {name: str(value) for name, value in given.items()}


class Board:
    """What a worker that follows reads of the first one's decisions."""

    def __init__(self, start: Start) -> None:
        self._store = _store(start.host, start.port, is_master=False)

    def decision(self, record: int) -> str | None:
        """Why the trial ends behind a record, or None; waits until the first worker knows. Where that one has ended
        before, the reason is "interrupted"."""
        key = f"record/{record}"
        while not self._has(key):
            if self.has_ended:
                return "interrupted"
        reason: str = self._store.get(key).decode()
        return reason or None

    @property
    def is_over(self) -> bool:
        """Whether the first worker has ended the trial, or is about to: how this one ends is no matter."""
        return bool(self._store.check([_STOPS]) or self._store.check([_ENDED]))

    @property
    def has_ended(self) -> bool:
        """Whether the first worker has its result."""
        return bool(self._store.check([_ENDED]))

    def wait_for_end(self) -> None:
        """Until the first worker has its result."""
        while not self._has(_ENDED):
            pass

    def _has(self, key: str) -> bool:
        from torch.distributed import DistStoreError

        try:
            self._store.wait([key], POLL)
        except DistStoreError:
            return False
        return True


def _store(host: str, port: int, *, is_master: bool) -> Any:
    """Keys and values that all workers see; they are in the process that is the master."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    return TCPStore(host, port, is_master=is_master, wait_for_workers=False)
