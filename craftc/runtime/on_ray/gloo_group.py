"""Connects workers without a GPU by torch's gloo, as Ray Train's TorchConfig does.

TorchConfig brings torch into every process that unpickles it: the one that waits for the workers, and the controller,
which need none; 2.5 s of CPU time for each. Here the workers alone import it.
"""

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import ray
import ray.train
from ray.exceptions import GetTimeoutError
from ray.train.backend import Backend, BackendConfig

if TYPE_CHECKING:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

JOIN_TIMEOUT_S = 1800.0
"""Of an exchange between workers, as TorchConfig has it."""

LEAVE_TIMEOUT_S = 3.0

_hosted: "list[TCPStore]" = []
"""In the first worker, from its start to its end: where the group meets. Only a port that is kept is surely free."""

log = logging.getLogger(__name__)


class GlooGroup(Backend):
    """Begins and ends the group. See Ray Train's Backend for when each method is called."""

    def on_start(self, worker_group, backend_config) -> None:  # type: ignore[no-untyped-def]
        """Have the workers meet at the first of them."""
        host, port = worker_group.execute_single(0, _meeting_point)
        worker_group.execute(_join, host=host, port=port)

    def on_shutdown(self, worker_group, backend_config) -> None:  # type: ignore[no-untyped-def]
        """Part them, where all are still there."""
        try:
            ray.get(worker_group.execute_async(_leave), timeout=LEAVE_TIMEOUT_S)
        except GetTimeoutError:
            log.warning("the workers of a trial did not part within %g s", LEAVE_TIMEOUT_S)


class GlooConfig(BackendConfig):
    """Has Ray Train connect its workers so."""

    @property
    def backend_cls(self) -> type[GlooGroup]:
        """See BackendConfig."""
        return GlooGroup


def _meeting_point() -> tuple[str, int]:
    """On the first worker: its address, and the port of the store that it hosts."""
    host = str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
    _hosted.append(_store(host, 0, is_master=True))
    return host, _hosted[-1].port


def _store(host: str, port: int, *, is_master: bool) -> "TCPStore":
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    timeout = timedelta(seconds=JOIN_TIMEOUT_S)
    return TCPStore(host, port, is_master=is_master, timeout=timeout, wait_for_workers=False)


def _join(*, host: str, port: int) -> None:
    """On each worker: the variables that torchrun sets, and the group."""
    import torch.distributed

    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    variables = {
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "RANK": rank,
        "WORLD_SIZE": world_size,
        "LOCAL_RANK": context.get_local_rank(),
        "LOCAL_WORLD_SIZE": context.get_local_world_size(),
        "NODE_RANK": context.get_node_rank(),
        "ACCELERATE_TORCH_DEVICE": "cpu",
    }
    os.environ.update({name: str(value) for name, value in variables.items()})
    timeout = timedelta(seconds=JOIN_TIMEOUT_S)
    store = _hosted[-1] if _hosted else _store(host, port, is_master=False)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=timeout)


def _leave() -> None:
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    _hosted.clear()
