"""Has a private Ray start only those of Ray's own processes that a run needs.

`ray.init` starts seven beside its workers, of which five are Python programs that import ray and more, and waits for
most of them: 2 to 4 s, and 3 s of CPU time. Ray's Node and what it calls are not public; the range of Ray's version in
pyproject.toml is narrow for such reasons.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import list2cmdline
from typing import Any

from ray import _raylet
from ray._private import ray_constants, services, utils
from ray._private.node import Node

IDLE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("idle_agent.py"))]
UNUSED_PORT = -1
"""What Ray's own agent writes down for a port that it does not serve."""

PORTS = ("METRICS_AGENT", "METRICS_EXPORT", "DASHBOARD_AGENT_LISTEN", "RUNTIME_ENV_AGENT")
"""What the raylet waits to be told by its agents before it starts a worker."""


@contextmanager
def few_services(*, log_monitor: bool) -> Iterator[None]:
    """Have `ray.init` start Ray's two servers and its workers, which all have this process's environment, and no more.

    Left out are the autoscaler, which grows clusters; the server of the dashboard, which without a dashboard counts
    usage for Ray's makers; and the agents that export metrics and make environments. Without `log_monitor`, nothing
    passes on what workers print.
    """
    replaced: list[tuple[Any, str, Any]] = [
        (Node, "start_monitor", _nothing),
        (Node, "start_api_server", _nothing),
        (services, "start_ray_process", _without_agents(services.start_ray_process)),
        # Asked in order to tell the agent, and answered by importing all that the dashboard needs.
        (utils, "get_dashboard_dependency_error", lambda: ImportError("not wanted")),
        # An environment for the workers is made by an agent; they run in this one's.
        (ray_constants, "RAY_ENABLE_UV_RUN_RUNTIME_ENV", False),
    ]
    if not log_monitor:
        replaced.append((Node, "start_log_monitor", _nothing))
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in replaced]
    for owner, name, value in replaced:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _nothing(self: Node, **_: Any) -> None:
    """Start nothing."""


def _without_agents(start: Callable[..., Any]) -> Callable[..., Any]:
    """The raylet ends with an agent of its, so it is given two that do nothing, and their ports as those of nobody."""

    def started(command: Sequence[str], process_type: str, *args: Any, **kwargs: Any) -> Any:
        if process_type == ray_constants.PROCESS_TYPE_RAYLET:
            options = dict(option.split("=", 1) for option in command if "=" in option)
            for name in PORTS:
                file = getattr(_raylet, f"{name}_PORT_NAME")
                _raylet.persist_port(  # type: ignore[attr-defined]
                    options["--session_dir"], options["--node_id"], file, UNUSED_PORT
                )
            command = [_with_idle_agent(option) for option in command]
        return start(command, process_type, *args, **kwargs)

    return started


def _with_idle_agent(option: str) -> str:
    name = option.partition("=")[0]
    return f"{name}={list2cmdline(IDLE)}" if name.endswith("_agent_command") else option
