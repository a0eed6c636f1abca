"""Trials of a JSON file in, their test metrics out: with Ray Tune, a Ray ActorPool or one loop, written by hand.

`python benchmarks/by_hand_ray.py tune|tune-function|torch-trainer|pool|loop TRIALS RESULTS`. Sides of
benchmarks/ablation.py and benchmarks/per_trial.py, which measure the process as a whole: imports, Ray's start, the
training, the end. Nothing is written but Tune's own records: no state to go on from, no weights.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

NUM_CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loop(trials: list[dict[str, Any]]) -> list[dict[str, float]]:
    """One after another, in this process."""
    from by_hand import trained

    return [trained(trial) for trial in trials]


def pool(trials: list[dict[str, Any]]) -> list[dict[str, float]]:
    """One warm actor for each CPU, and whoever is free takes the next trial."""
    import ray
    from ray.util import ActorPool

    worker = ray.remote(num_cpus=1)(Worker)
    actors = ActorPool([worker.remote() for _ in range(min(NUM_CPUS, len(trials)))])
    return list(actors.map(lambda actor, trial: actor.trained.remote(trial), trials))


class Worker:
    """A process that trains trials."""

    def trained(self, trial: dict[str, Any]) -> dict[str, float]:
        """Train one to its end."""
        # Not at the top: the driver has no use for torch, and what is imported here is pickled by name.
        from by_hand import trained

        return trained(trial)


def with_tune(trials: list[dict[str, Any]], folder: str) -> list[dict[str, float]]:
    """Tune's class trainable, whose actors are used again; a step is an epoch."""
    from ray import tune

    class Epochs(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            from by_hand import begin

            self.training = begin(config["trial"])

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            found = self.training.epoch()
            return found | self.training.end() | {"done": True} if self.training.is_over else found

    tuner = tune.Tuner(
        tune.with_resources(Epochs, {"cpu": 1}),
        param_space={"trial": tune.grid_search(trials)},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(
            storage_path=folder, verbose=0, checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False)
        ),
    )
    return _fitted(tuner)


def with_tune_function(trials: list[dict[str, Any]], folder: str) -> list[dict[str, float]]:
    """A function as Tune's guide begins with: a process for each trial."""
    from ray import tune

    def whole(config: dict[str, Any]) -> None:
        from by_hand import begin

        training = begin(config["trial"])
        while not training.is_over:
            found = training.epoch()
            tune.report(found | training.end() if training.is_over else found)

    return _fitted(
        tune.Tuner(
            tune.with_resources(whole, {"cpu": 1}),
            param_space={"trial": tune.grid_search(trials)},
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
    )


def with_torch_trainer(trials: list[dict[str, Any]], folder: str) -> list[dict[str, float]]:
    """Each trial a TorchTrainer of one worker, begun by a function of Tune's, as Ray's guide has it."""
    from ray import train, tune
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    def worker(config: dict[str, Any]) -> None:
        from by_hand import begin

        training = begin(config["trial"])
        while not training.is_over:
            found = training.epoch()
            train.report(found | training.end() if training.is_over else found)

    def whole(config: dict[str, Any]) -> None:
        TorchTrainer(
            worker,
            train_loop_config=config,
            scaling_config=train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
            run_config=train.RunConfig(
                storage_path=folder, name=tune.get_context().get_trial_id(), callbacks=[TuneReportCallback()]
            ),
        ).fit()

    return _fitted(
        tune.Tuner(
            # The worker has the CPU; who takes nothing is refused.
            tune.with_resources(whole, {"cpu": 0, "driver": 1}),
            param_space={"trial": tune.grid_search(trials)},
            tune_config=tune.TuneConfig(max_concurrent_trials=NUM_CPUS),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
    )


def _fitted(tuner: Any) -> list[dict[str, float]]:
    results = tuner.fit()
    if results.errors:
        raise results.errors[0]
    return [result.metrics for result in results]


TUNERS = {"tune": with_tune, "tune-function": with_tune_function, "torch-trainer": with_torch_trainer}


def main() -> None:
    """Train all, write the test metrics."""
    how, trials_path, results_path = sys.argv[1:]
    trials = json.loads(Path(trials_path).read_text(encoding="utf-8"))
    if how == "loop":
        results = loop(trials)
    else:
        import ray

        # Short, for Ray makes sockets some 70 characters below it, and a socket's path may have 107.
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            ray.init(
                address="local",
                num_cpus=NUM_CPUS,
                resources={"driver": NUM_CPUS},
                include_dashboard=False,
                log_to_driver=False,
                _temp_dir=folder,
            )
            try:
                results = pool(trials) if how == "pool" else TUNERS[how](trials, f"{folder}/tune")
            finally:
                ray.shutdown()
    kept = [{name: value for name, value in found.items() if name.startswith("test/")} for found in results]
    Path(results_path).write_text(json.dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
