"""Has a private Ray start only those of Ray's own processes that a run needs.

`ray.init` starts seven beside its workers, of which five are Python programs that import ray and more, and waits for
most of them: 2 to 4 s, and 3 s of CPU time. Ray's Node and what it calls are not public.
"""

import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import list2cmdline
from types import SimpleNamespace
from typing import Any

from craftc.fence import fence, require
from craftc.runtime.on_ray.prestarted_workers import can_prestart

IDLE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("idle_agent.py"))]
UNUSED_PORT = -1
"""What Ray's own agent writes down for a port that it does not serve."""

PORTS = ("METRICS_AGENT", "METRICS_EXPORT", "DASHBOARD_AGENT_LISTEN", "RUNTIME_ENV_AGENT")
"""What the raylet waits to be told by its agents before it starts a worker."""


@fence("ray.services", instead="a private Ray starts all of its own processes, which takes seconds more")
def _private() -> SimpleNamespace:
    from ray import _raylet
    from ray._private import ray_constants, services, utils
    from ray._private.node import Node

    require(bool(can_prestart()), "Tune gives its processes an environment, which needs Ray's agents")
    for method in (Node.start_monitor, Node.start_api_server, Node.start_log_monitor):
        inspect.signature(method)
    parameters = list(inspect.signature(services.start_ray_process).parameters)
    require(parameters[:2] == ["command", "process_type"], f"start_ray_process takes {parameters}")
    inspect.signature(utils.get_dashboard_dependency_error).bind()
    require(hasattr(ray_constants, "RAY_ENABLE_UV_RUN_RUNTIME_ENV"), "`uv run` is heeded otherwise")
    files = [getattr(_raylet, f"{name}_PORT_NAME") for name in PORTS]
    with tempfile.TemporaryDirectory() as folder:
        _raylet.persist_port(folder, "0" * 56, files[0], UNUSED_PORT)  # type: ignore[attr-defined]
        require(bool(os.listdir(folder)), "persist_port writes nothing")
    return SimpleNamespace(
        node=Node,
        services=services,
        utils=utils,
        constants=ray_constants,
        raylet_type=ray_constants.PROCESS_TYPE_RAYLET,
        persist_port=_raylet.persist_port,  # type: ignore[attr-defined]
        port_files=files,
    )


@contextmanager
def few_services(*, log_monitor: bool) -> Iterator[None]:
    """Have `ray.init` start Ray's two servers and its workers, which all have this process's environment, and no more;
    or, where the fence is down, all that it would.

    Left out are the autoscaler, which grows clusters; the server of the dashboard, which without a dashboard counts
    usage for Ray's makers; and the agents that export metrics and make environments. Without `log_monitor`, nothing
    passes on what workers print.
    """
    private = _private()
    if private is None:
        yield
        return
    replaced: list[tuple[Any, str, Any]] = [
        (private.node, "start_monitor", _nothing),
        (private.node, "start_api_server", _nothing),
        (private.services, "start_ray_process", _without_agents(private)),
        # Asked in order to tell the agent, and answered by importing all that the dashboard needs.
        (private.utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted")),
        # An environment for the workers is made by an agent; they run in this one's.
        (private.constants, "RAY_ENABLE_UV_RUN_RUNTIME_ENV", False),
    ]
    if not log_monitor:
        replaced.append((private.node, "start_log_monitor", _nothing))
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _nothing(self: Any, **_: Any) -> None:
    """Start nothing."""


def _without_agents(private: SimpleNamespace) -> Callable[..., Any]:
    """The raylet ends with an agent of its, so it is given two that do nothing, and their ports as those of nobody."""
    start: Callable[..., Any] = private.services.start_ray_process

    def started(command: Sequence[str], process_type: str, *args: Any, **kwargs: Any) -> Any:
        if process_type == private.raylet_type:
            options = dict(option.split("=", 1) for option in command if "=" in option)
            # A raylet that calls them otherwise gets the agents that it asks for.
            if "--session_dir" in options and "--node_id" in options:
                for file in private.port_files:
                    private.persist_port(options["--session_dir"], options["--node_id"], file, UNUSED_PORT)
                command = [_with_idle_agent(option) for option in command]
        return start(command, process_type, *args, **kwargs)

    return started


def _with_idle_agent(option: str) -> str:
    name = option.partition("=")[0]
    return f"{name}={list2cmdline(IDLE)}" if name.endswith("_agent_command") else option
