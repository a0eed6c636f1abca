"""Starts a Ray for one run, or joins a running one, and checks that jobs fit on it."""

import errno
import os
import signal
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from craftc.runtime.jobs.backend import BackendError, PlacementError
from craftc.runtime.on_ray.check_reachable import check_reachable
from craftc.runtime.on_ray.leave_ray import leave_ray
from craftc.runtime.on_ray.sweeper import swept
from craftc.schemas.plan import JobResources
from craftc.secret_text import bare_address

# Events are small and results stay on disk: the least that Ray allows is plenty.
OBJECT_STORE_BYTES = 80 * 2**20

CONNECT_TIMEOUT_S = 10.0

HOME_WAY = (
    "; Ray keeps an authentication token in ~/.ray: set HOME to a folder that can be written to, or RAY_AUTH_TOKEN to "
    "a long text of your own"
)

ENVIRONMENT_HOOK = "RAY_RUNTIME_ENV_HOOK"

Services = Callable[[], AbstractContextManager[None]]
"""Within it, `ray.init` starts the processes that are wanted."""


@contextmanager
def private_ray(services: Services, *, dashboard: bool = False) -> Iterator[Path]:
    """A Ray for this run alone, whose processes and files are gone afterwards; with a `dashboard` it has a State API.

    Yields a folder for Tune's own files. The caller's SIGTERM handler stays. Raises BackendError.
    """
    with _private_folder() as folder, _started(folder, services, dashboard=dashboard):
        yield folder / "tune"


@contextmanager
def joined_ray(address: str, *, shared: Path, runtime_env: dict[str, Any] | None = None) -> Iterator[Path]:
    """A connection to the Ray at `address`, whose workers get the `runtime_env`.

    Yields a folder for Tune's own files in `shared`, which every machine sees. It is gone afterwards. The caller's
    SIGTERM handler stays. Raises BackendError.
    """
    with _attached(address, runtime_env), _folder_in(shared) as folder:
        yield folder


def check_placement(requests: Sequence[JobResources]) -> None:
    """Raise PlacementError where a job does not fit on the connected Ray, even were that idle.

    A worker fits on one machine; those of one job may be on several.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    for request in requests:
        num_placed = sum(_num_workers_on(node, request) for node in nodes)
        if num_placed >= request.workers:
            continue
        asked = f"{request.cpu} CPUs" + (f" and {request.gpu:g} GPUs" if request.gpu else "")
        if request.workers == 1:
            message = f"a job asks for {asked}, and no machine has that: {_describe(nodes)}"
        else:
            fits = f"{num_placed} of them fit" if num_placed else "none of them fits"
            message = f"a job asks for {request.workers} workers with {asked} each, and {fits}: {_describe(nodes)}"
        raise PlacementError(message)


def num_slots(requests: Sequence[JobResources]) -> int:
    """How many of the jobs the connected Ray, as it is now, runs at once: of the kind that it runs most of."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    placed = (sum(_num_workers_on(node, request) for node in nodes) // request.workers for request in requests)
    return max(1, *placed)


def worker_bundle(request: JobResources) -> dict[str, float]:
    """What Ray reserves for one worker."""
    return {"CPU": float(request.cpu)} | ({"GPU": request.gpu} if request.gpu else {})


def _num_workers_on(node: Mapping[str, float], request: JobResources) -> int:
    """How many workers of a job an idle machine holds."""
    # 0.1 GPUs fit ten times on one, whatever the floats say.
    return min(int(node.get(name, 0) / amount + 1e-6) for name, amount in worker_bundle(request).items())


def _describe(nodes: Sequence[Mapping[str, float]]) -> str:
    if not nodes:
        return "there is none"
    machines = Counter(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
    return "there is " + "; ".join(f"{n} times {has}" if n > 1 else has for has, n in sorted(machines.items()))


@contextmanager
def _started(folder: Path, services: Services, *, dashboard: bool) -> Iterator[None]:
    try:
        # "local" says that no other cluster will do, whatever RAY_ADDRESS or a file of `ray start` name.
        with _sigterm_handler_kept(), _no_environment_hook(), services():
            ray.init(
                address="local",
                include_dashboard=dashboard,
                object_store_memory=OBJECT_STORE_BYTES,
                # Documented, for all its name.
                _temp_dir=str(folder),
            )
    except (OSError, RuntimeError, ValueError) as error:
        way = HOME_WAY if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES) else ""
        raise BackendError("cluster-not-started", f"Ray did not start: {error}{way}") from error
    try:
        yield
    finally:
        leave_ray()


@contextmanager
def _attached(address: str, runtime_env: dict[str, Any] | None) -> Iterator[None]:
    check_reachable(address)
    try:
        _check_answers(address)
        with _sigterm_handler_kept():
            ray.init(address=address, runtime_env=runtime_env or None)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise BackendError(
            "cluster-unreachable", f'no Ray cluster answers at "{bare_address(address)}": {error}'
        ) from error
    try:
        yield
    finally:
        # Disconnects; what this driver started there ends with it, and the cluster lives on.
        leave_ray()


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
def _no_environment_hook() -> Iterator[None]:
    """Within it, nothing gives the workers another environment than this process has."""
    hook = os.environ.pop(ENVIRONMENT_HOOK, None)
    try:
        yield
    finally:
        if hook is not None:
            os.environ[ENVIRONMENT_HOOK] = hook


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
