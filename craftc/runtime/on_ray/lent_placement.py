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
    from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
    from ray.train.v2._internal.execution.worker_group import WorkerGroup, state, worker_group
    from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    require(TrainController.worker_group_cls is WorkerGroup, "a controller has no worker_group_cls")
    for owner, name, arguments in (
        (WorkerGroup, "_create_placement_group", (object(), object(), object())),
        (WorkerGroup, "_start_impl", (object(), object())),
        (WorkerGroup, "_get_worker_runtime_env", (object(),)),
        (FixedScalingPolicy, "after_controller_start", (object(), object())),
        (FixedScalingPolicy, "_maybe_send_resource_request", (object(),)),
        (state, "_shutdown_sync_actor", (object(),)),
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
    require({"train_run_context", "scaling_policy"} <= set(made), "a controller takes other arguments")
    require(hasattr(worker_group, "SynchronizationActor"), "a worker group makes no SynchronizationActor")
    return SimpleNamespace(
        trainer=DataParallelTrainer,
        scaling_policy=FixedScalingPolicy,
        worker_group_module=worker_group,
        state_module=state,
        unneeded=(PlacementGroupCleanerCallback, DatasetsCallback),
        controller=TrainController,
        worker_group=WorkerGroup,
        handle=DefaultPlacementGroupHandle,
    )


class NoSynchronization:
    """Stands for the process at which workers wait for each other in `ray.train.report`, which none here calls."""

    @classmethod
    def options(cls, **_: Any) -> type["NoSynchronization"]:
        """As an actor has it."""
        return cls

    @classmethod
    def remote(cls, **_: Any) -> type["NoSynchronization"]:
        """As an actor has it."""
        return cls


def scaling_policy(private: SimpleNamespace, scaling_config: Any) -> Any:
    """Of a group that is there already: nothing is asked of what makes clusters larger, a process of its own."""

    class Placed(private.scaling_policy):  # type: ignore[misc, name-defined]
        def after_controller_start(self, train_run_context: Any) -> None:
            """Ask for nothing."""

        def _maybe_send_resource_request(self) -> None:
            """Ask for nothing."""

    return Placed(scaling_config)


def controller_class(private: SimpleNamespace, *, inherits: bool) -> Any:
    """A controller whose workers run in the placement group that it runs in itself.

    `inherits`: Ray starts its workers with the environment that they need; for another, it starts two processes each.
    """

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

        def _start_impl(self, *arguments: Any) -> None:
            # For good: this process is that of one controller.
            private.worker_group_module.SynchronizationActor = NoSynchronization
            private.state_module._shutdown_sync_actor = lambda _: None
            super()._start_impl(*arguments)

        @staticmethod
        def _get_worker_runtime_env(custom_runtime_env: Any) -> Any:
            return None if inherits else private.worker_group._get_worker_runtime_env(custom_runtime_env)

    class LentController(private.controller):  # type: ignore[misc, name-defined]
        worker_group_cls = LentWorkerGroup

    return LentController


class PlacementGroupTrainer:
    """A trainer whose workers run in the bundles of the placement group around it, one in each.

    It belongs in a process that Tune has put into a placement group of a bundle for each worker.
    """

    def __init__(
        self, private: SimpleNamespace, environment: dict[str, str] | None, build: Callable[[type], Any]
    ) -> None:
        """`build` makes a trainer of a class that is given; `environment` is that of the controller, None where Ray
        starts it with all that it needs."""
        owner = self
        self._controller: Any = None

        class Trainer(private.trainer):  # type: ignore[misc, name-defined]
            def _create_default_callbacks(self) -> list[Any]:
                # The group is not ours to clean. Without Ray's datasets no actor that hands them out is started, and no
                # worker imports ray.data: seconds of CPU time for each trainer.
                callbacks = super()._create_default_callbacks()
                return [callback for callback in callbacks if not isinstance(callback, private.unneeded)]

            def _initialize_and_run_controller(self, **arguments: Any) -> Any:
                given: dict[str, Any] = {} if environment is None else {"runtime_env": {"env_vars": environment}}
                made = controller_class(private, inherits=environment is None)
                actor = ray.remote(num_cpus=0, **given)(made)
                policy = scaling_policy(private, self.scaling_config)
                owner._controller = actor.remote(**{**arguments, "scaling_policy": policy})
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
