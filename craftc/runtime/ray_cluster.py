"""A Ray to run on: started for this run alone, or one that is there already; and whether jobs fit on it."""

import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from craftc.runtime.backend import BackendError, PlacementError
from craftc.runtime.ray_sweeper import swept
from craftc.schemas.plan import JobResources

# Events are small and results stay on disk: the least that Ray allows is plenty.
OBJECT_STORE_BYTES = 80 * 2**20

CONNECT_TIMEOUT_S = 10.0


@contextmanager
def connected_ray(address: str | None, *, shared: Path) -> Iterator[Path]:
    """A private Ray, whose processes and files are gone afterwards, or a connection to the one at `address`.

    Yields a folder for Tune's own files, which every machine sees: for a cluster, one in `shared`. It is gone
    afterwards too. The caller's SIGTERM handler stays. Raises BackendError.
    """
    if address is None:
        with _private_folder() as folder, _started(folder):
            yield folder / "tune"
    else:
        with _attached(address), _folder_in(shared) as folder:
            yield folder


def check_placement(requests: Sequence[JobResources]) -> None:
    """Raise PlacementError where a job fits on no machine of the connected Ray, even were that machine idle."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    for request in requests:
        if not any(_fits(request, node) for node in nodes):
            asked = f"{request.cpu} CPUs" + (f" and {request.gpu:g} GPUs" if request.gpu else "")
            raise PlacementError(f"a job asks for {asked}, and no machine has that: {_describe(nodes)}")


def _fits(request: JobResources, node: Mapping[str, float]) -> bool:
    return node.get("CPU", 0) >= request.cpu and node.get("GPU", 0) >= request.gpu


def _describe(nodes: Sequence[Mapping[str, float]]) -> str:
    if not nodes:
        return "there is none"
    machines = sorted({f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes})
    return "there is " + "; ".join(machines)


@contextmanager
def _started(folder: Path) -> Iterator[None]:
    try:
        # "local" says that no other cluster will do, whatever RAY_ADDRESS or a file of `ray start` name.
        with _sigterm_handler_kept():
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=str(folder),
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise BackendError("cluster-not-started", f"Ray did not start: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _attached(address: str) -> Iterator[None]:
    try:
        _check_answers(address)
        with _sigterm_handler_kept():
            ray.init(address=address)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise BackendError("cluster-unreachable", f'no Ray cluster answers at "{address}": {error}') from error
    try:
        yield
    finally:
        # Disconnects; what this driver started there ends with it, and the cluster lives on.
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise OSError or ValueError where nobody listens at HOST:PORT; Ray itself would wait for minutes."""
    if "://" in address:
        raise ValueError("the address of a Ray Client; give HOST:PORT as `ray start --head` prints it, or auto")
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        raise ValueError("expected HOST:PORT, or auto")
    socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()


@contextmanager
def _folder_in(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tune-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _private_folder() -> Iterator[Path]:
    # Ray makes sockets some 70 characters below this folder, and a socket's path may have 107.
    usual = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="craftc-", dir=usual if len(usual) <= 20 else "/tmp"))
    with swept(folder):
        yield folder


@contextmanager
def _sigterm_handler_kept() -> Iterator[None]:
    """Put back the handler that ray.init replaces by one that ends the process at once.

    Only the main thread may set one, so nothing is done elsewhere.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler: Any = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
