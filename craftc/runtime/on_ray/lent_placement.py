"""Ray Train's workers in a placement group that is there already: what is private of Ray Train, and a trainer of it.

TorchTrainer asks for a placement group of its own. Made by an actor, that outlives the actor (Ray removes it with the
job, or through the State API, which not every cluster has), and it competes with what other trials hold (ray issue
54305). Here the workers run in the trial's own group, which Tune made, whole or not at all, and removes however the
trial ends: docs/decisions/0012-several-workers.md.
"""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, get_current_placement_group

from craftc.fence import fence, require


@fence(
    "ray.lent_placement",
    instead="Ray Train asks for a placement group for each trial of several workers, which takes seconds more",
)
def lent_placement() -> SimpleNamespace:
    """The classes of Ray Train of which some methods are replaced. Imports no torch, for the driver asks, too."""
    from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
    from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
    from ray.train.v2._internal.execution.controller import TrainController
    from ray.train.v2._internal.execution.worker_group import WorkerGroup
    from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    require(TrainController.worker_group_cls is WorkerGroup, "a controller has no worker_group_cls")
    for owner, name, arguments in (
        (WorkerGroup, "_create_placement_group", (object(), object(), object())),
        (DefaultPlacementGroupHandle, "__init__", (object(), object())),
        (DefaultPlacementGroupHandle, "shutdown", (object(),)),
        (TrainController, "run", (object(),)),
        (TrainController, "get_result", (object(),)),
        (DataParallelTrainer, "_create_default_callbacks", (object(),)),
        (DataParallelTrainer, "_initialize_and_run_controller", (object(),)),
    ):
        inspect.signature(getattr(owner, name)).bind(*arguments)
    # The keywords with which `fit` calls what is replaced there are those that a controller is made with.
    made = inspect.signature(TrainController.__init__).parameters
    require("train_run_context" in made, "a controller takes no train_run_context")
    return SimpleNamespace(
        unneeded=(PlacementGroupCleanerCallback, DatasetsCallback),
        controller=TrainController,
        worker_group=WorkerGroup,
        handle=DefaultPlacementGroupHandle,
    )


def controller_class(private: SimpleNamespace) -> Any:
    """A controller whose workers run in the placement group that it runs in itself."""

    class BorrowedPlacementGroup(private.handle):  # type: ignore[misc, name-defined]
        """A placement group that belongs to somebody else."""

        def shutdown(self) -> None:
            """Nothing: its owner removes it."""

    class LentWorkerGroup(private.worker_group):  # type: ignore[misc, name-defined]
        def _create_placement_group(self, *_: Any) -> BorrowedPlacementGroup:
            # The controller's own: that of the Tune trial, handed down to whatever the trial starts.
            group = get_current_placement_group()
            assert isinstance(group, PlacementGroup), "a trainer runs inside a Tune trial"
            return BorrowedPlacementGroup(group)

    class LentController(private.controller):  # type: ignore[misc, name-defined]
        worker_group_cls = LentWorkerGroup

    return LentController


class PlacementGroupTrainer:
    """A TorchTrainer whose workers run in the bundles of the placement group around it, one in each.

    It belongs in a process that Tune has put into a placement group of a bundle for each worker.
    """

    def __init__(self, private: SimpleNamespace, environment: dict[str, str], build: Callable[[type], Any]) -> None:
        """`build` makes a trainer of a class that is given; `environment` is that of the controller."""
        # Here, for it brings torch.
        from ray.train.torch import TorchTrainer

        owner = self
        self._controller: Any = None

        class Trainer(TorchTrainer):
            def _create_default_callbacks(self) -> list[Any]:
                # The group is not ours to clean. Without Ray's datasets no actor that hands them out is started, and no
                # worker imports ray.data: seconds of CPU time for each trainer.
                callbacks = super()._create_default_callbacks()  # type: ignore[misc]
                return [callback for callback in callbacks if not isinstance(callback, private.unneeded)]

            def _initialize_and_run_controller(self, **arguments: Any) -> Any:
                actor = ray.remote(num_cpus=0, runtime_env={"env_vars": environment})(controller_class(private))
                owner._controller = actor.remote(**arguments)
                ray.get(owner._controller.run.remote())
                return ray.get(owner._controller.get_result.remote())

        self._trainer = build(Trainer)

    def fit(self) -> Any:
        """Train to the end; raises what a worker raised."""
        return self._trainer.fit()

    def kill(self) -> None:
        """End controller and workers at once; `fit` then raises."""
        if self._controller is not None:
            ray.kill(self._controller)
