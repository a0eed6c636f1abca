"""Runs a function by several workers of Ray Train at once, inside a Tune trial.

The workers run in the resources that the trial holds already, or, where the fence of `lent_placement` is down, in those
that a TorchTrainer asks for itself.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from craftc.runtime.on_ray.lent_placement import PlacementGroupTrainer, lent_placement

ENVIRONMENT = {
    # What a failed worker holds up is freed soon: by default the controller looks every 2 s.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "3",
    # Actors and exporters that nobody asks here.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # Relative paths mean what they mean in the driver.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
"""Of the process that makes a trainer, which hands them on."""


class Trainer(Protocol):
    """Workers that run a function."""

    def fit(self) -> Any:
        """Run it to the end. Raises ray.train.TrainingFailedError."""
        ...

    def kill(self) -> None:
        """Have `fit` end soon, by an exception."""
        ...


class SeparateTrainer:
    """A TorchTrainer as it is, whose controller asks for a placement group."""

    def __init__(self, build: Callable[[type], Any]) -> None:
        self._trainer = build(TorchTrainer)

    def fit(self) -> Any:
        """See Trainer.fit."""
        return self._trainer.fit()

    def kill(self) -> None:
        """Nothing: the workers fail at the next event that they put into a queue that is gone."""


def make_trainer(
    function: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    *,
    is_lent: bool,
    num_workers: int,
    resources_per_worker: Mapping[str, float],
    name: str,
    storage_path: str,
) -> Trainer:
    """`is_lent`: whether the process around it is in a placement group with `resources_per_worker` for each worker."""

    def build(trainer: type) -> Any:
        return trainer(
            function,
            train_loop_config=config,
            torch_config=TorchConfig(),
            scaling_config=ray.train.ScalingConfig(
                num_workers=num_workers,
                resources_per_worker=dict(resources_per_worker),
                use_gpu="GPU" in resources_per_worker,
            ),
            run_config=ray.train.RunConfig(name=name, storage_path=storage_path),
        )

    if not is_lent:
        return SeparateTrainer(build)
    private = lent_placement()
    assert private is not None, "the driver has the same Ray, and found that a group can be lent"
    return PlacementGroupTrainer(
        private, {key: value for key, value in ENVIRONMENT.items() if key.startswith("RAY_TRAIN_")}, build
    )
