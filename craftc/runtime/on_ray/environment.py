"""Sets the environment variables of Ray and Tune. Imports neither, since they read them when they are imported."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

TRAIN_VARIABLES = {
    # What a failed worker holds up is freed soon: by default the controller looks every 2 s.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "3",
    # Actors and exporters that nobody asks here.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # Relative paths mean what they mean in the driver.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
"""Of Ray Train's processes, all of which a private Ray starts with what the driver has."""

VARIABLES = {
    **TRAIN_VARIABLES,
    "RAY_USAGE_STATS_ENABLED": "0",
    # Read when Ray is imported. A thread of Tune that is still about after a shutdown would otherwise start a new Ray.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "TUNE_DISABLE_AUTO_INIT": "1",
    # The raylet tries once, and then again after this long, to reach a server that it is just starting: a second.
    "RAY_raylet_client_connect_timeout_milliseconds": "50",
    "RAY_raylet_client_num_connect_attempts": "200",
    # Workers that wait for the first jobs would end after a second, when the CPUs are reserved for those, and others be
    # started in their place.
    "RAY_idle_worker_killing_time_threshold_ms": "60000",
    # A process that does not answer within a minute is killed, and another begun in its place: on a machine that does
    # much else, where an import takes as long, none would ever answer. Without its agents the raylet ends itself.
    "RAY_worker_register_timeout_seconds": "900",
    "RAY_agent_register_timeout_ms": "900000",
    # Leave CUDA_VISIBLE_DEVICES alone in jobs without a GPU, and do not announce that this will be the default.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # What Tune would set for its own processes only, see prestarted_workers.
    "PL_DISABLE_FORK": "1",
    # Ctrl-C is ours to handle; the journal and the store are what a run resumes from, so Tune keeps nothing.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
}


@contextmanager
def ray_environment() -> Iterator[None]:
    """Set the variables, and put back what was there."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(VARIABLES)
    try:
        yield
    finally:
        _restore(before)


def _restore(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
