"""Runs a function by several workers of Ray Train at once, inside a Tune trial, in the resources that the trial holds.

TorchTrainer would ask for a placement group of its own. Made by an actor, that outlives the actor (Ray removes it with
the job, or through the State API, which not every cluster has), and it competes with what other trials hold (ray issue
54305). Here the workers run in the trial's own group, which Tune made, whole or not at all, and removes however the
trial ends: docs/decisions/0012-several-workers.md.
"""

from collections.abc import Callable, Mapping
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import RayTrainCallback  # type: ignore[attr-defined]
from ray.train.v2._internal.execution.context import TrainRunContext
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.util.placement_group import PlacementGroup, get_current_placement_group

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
"""Of the process that makes a GangTrainer, which hands them on."""


class _BorrowedPlacementGroup(DefaultPlacementGroupHandle):
    """A placement group that belongs to somebody else."""

    def shutdown(self) -> None:
        """Nothing: its owner removes it."""


class _WorkerGroup(WorkerGroup):
    def _create_placement_group(self, *_: Any) -> _BorrowedPlacementGroup:
        # The controller's own: that of the Tune trial, handed down to whatever the trial starts.
        group = get_current_placement_group()
        assert isinstance(group, PlacementGroup), "a trainer runs inside a Tune trial"
        return _BorrowedPlacementGroup(group)


class _Controller(TrainController):
    worker_group_cls = _WorkerGroup


class PlacementGroupTrainer(TorchTrainer):
    """A TorchTrainer whose workers run in the bundles of the placement group around it, one in each.

    It belongs in a process that Tune has put into a placement group of `num_workers` bundles of
    `resources_per_worker`.
    """

    def __init__(
        self,
        function: Callable[[dict[str, Any]], None],
        config: dict[str, Any],
        *,
        num_workers: int,
        resources_per_worker: Mapping[str, float],
        name: str,
        storage_path: str,
    ) -> None:
        super().__init__(
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
        self._controller: Any = None

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        callbacks: list[RayTrainCallback] = super()._create_default_callbacks()  # type: ignore[misc]
        # The group is not ours to clean. Without Ray's datasets no actor that hands them out is started, and no worker
        # imports ray.data: seconds of CPU time for each trainer.
        unneeded = (PlacementGroupCleanerCallback, DatasetsCallback)
        return [callback for callback in callbacks if not isinstance(callback, unneeded)]

    def _initialize_and_run_controller(self, *, train_run_context: TrainRunContext, **arguments: Any) -> Any:
        environment = {
            "env_vars": {name: value for name, value in ENVIRONMENT.items() if name.startswith("RAY_TRAIN_")}
        }
        actor = ray.remote(num_cpus=0, runtime_env=environment)(_Controller)
        self._controller = actor.remote(train_run_context=train_run_context, **arguments)
        ray.get(self._controller.run.remote())
        return ray.get(self._controller.get_result.remote())

    def kill(self) -> None:
        """End controller and workers at once; `fit` then raises."""
        if self._controller is not None:
            ray.kill(self._controller)
