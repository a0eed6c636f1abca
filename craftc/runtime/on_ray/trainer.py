"""Runs a function by several workers of Ray Train at once, inside a Tune trial.

The workers run in the resources that the trial holds already, or, where the fence of `lent_placement` is down, in those
that a TorchTrainer asks for itself.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import ray.train

from craftc.runtime.on_ray.environment import TRAIN_VARIABLES
from craftc.runtime.on_ray.gloo_group import GlooConfig
from craftc.runtime.on_ray.lent_placement import PlacementGroupTrainer, lent_placement


class Trainer(Protocol):
    """Workers that run a function."""

    def fit(self) -> Any:
        """Run it to the end. Raises ray.train.TrainingFailedError."""
        ...

    def kill(self) -> None:
        """Have `fit` end soon, by an exception."""
        ...


Build = Callable[..., Any]
"""Makes a trainer of a class, and of what that class alone takes."""


class SeparateTrainer:
    """A TorchTrainer as it is, whose controller asks for a placement group."""

    def __init__(self, build: Build) -> None:
        # Here, for it brings torch.
        from ray.train.torch import TorchConfig, TorchTrainer

        self._trainer = build(TorchTrainer, torch_config=TorchConfig())

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
    is_private: bool,
    num_workers: int,
    resources_per_worker: Mapping[str, float],
    name: str,
    storage_path: str,
) -> Trainer:
    """`is_lent`: whether the process around it is in a placement group with `resources_per_worker` for each worker;
    `is_private`: whether Ray starts every process with the environment of the driver."""

    def build(trainer: type, **more: Any) -> Any:
        return trainer(
            function,
            train_loop_config=config,
            scaling_config=ray.train.ScalingConfig(
                num_workers=num_workers,
                resources_per_worker=dict(resources_per_worker),
                use_gpu="GPU" in resources_per_worker,
            ),
            run_config=ray.train.RunConfig(name=name, storage_path=storage_path),
            **more,
        )

    if not is_lent:
        return SeparateTrainer(build)
    private = lent_placement()
    assert private is not None, "the driver has the same Ray, and found that a group can be lent"
    given = {key: value for key, value in TRAIN_VARIABLES.items() if key.startswith("RAY_TRAIN_")}
    return PlacementGroupTrainer(
        private,
        None if is_private else given,
        lambda trainer: build(trainer, backend_config=_connection(resources_per_worker)),
    )


def _connection(resources_per_worker: Mapping[str, float]) -> ray.train.BackendConfig:
    """What connects the workers: NCCL, which Ray Train's own configuration knows how to begin, or gloo."""
    if "GPU" not in resources_per_worker:
        return GlooConfig()
    from ray.train.torch import TorchConfig

    return TorchConfig()
