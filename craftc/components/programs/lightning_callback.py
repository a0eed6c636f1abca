"""Reports to a Run what a LightningModule logs, with a checkpoint from which a killed training goes on bit by bit."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from craftc.components.programs.metric_names import metric_name
from craftc.components.programs.random_state import random_state, set_random_state

if TYPE_CHECKING:
    from craftc import Run

CHECKPOINT = "lightning.ckpt"
"""Of it craftc keeps a copy with each record."""


def reporting(package: Any, run: "Run") -> Any:
    """A callback for a Trainer of that package, `lightning.pytorch` or `pytorch_lightning`.

    A record is made for each validation, or for each epoch where there is none. The last of an epoch waits for its end,
    for a state in the middle of an epoch is none from which Lightning goes on with the same batches. Beside what
    Lightning saves, the state has what is needed to go on bit by bit: the states of random generators, and the metrics
    by which schedulers that watch a metric are stepped behind the checkpoint.
    """

    class Reporting(package.callbacks.Checkpoint):  # type: ignore[misc]
        """Of Lightning's checkpoints' kind, so that it is called last and no checkpoint is made besides."""

        def __init__(self) -> None:
            self.logged_before: dict[str, Any] = {}
            self.metrics: dict[str, float] = {}
            self.max_steps = -1
            self.of_validation: set[str] = set()
            self.waiting: tuple[int, dict[str, float]] | None = None
            self.loaded: dict[str, Any] | None = None

        def state_dict(self) -> dict[str, Any]:
            return {"random": random_state(), "metrics": self.metrics}

        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            self.loaded = state_dict

        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            # Behind this hook the first order of samples is drawn, and the state of the loops is loaded: with a number
            # of steps, Lightning would begin again with the end of the epoch that the checkpoint is of.
            if self.loaded is not None:
                set_random_state(self.loaded["random"])
                loop = trainer.fit_loop.epoch_loop
                self.max_steps, loop.max_steps = loop.max_steps, -1

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            if self.loaded is not None:
                trainer.fit_loop.epoch_loop.max_steps = self.max_steps
                _step_watching_schedulers(trainer, pl_module, self.loaded["metrics"])

        def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
            if self.waiting is not None:
                run.report(self.waiting[1], step=self.waiting[0])
            self.logged_before = dict(trainer.callback_metrics)

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.sanity_checking:
                return
            logged = trainer.callback_metrics
            self.of_validation = {name for name in logged if logged[name] is not self.logged_before.get(name)}
            # What training logged is that of the epoch before, until this one ends.
            measured = self.recorded(trainer, self.of_validation)
            self.waiting = trainer.global_step, measured

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.enable_validation and self.waiting is None:
                return
            self.waiting = None
            recorded = self.recorded(trainer, trainer.callback_metrics)
            self.metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            state = Path(run.folder) / CHECKPOINT
            trainer.save_checkpoint(state)
            run.report(recorded, state=state, step=trainer.global_step)

        def recorded(self, trainer: Any, names: Iterable[str]) -> dict[str, float]:
            return {
                metric_name(name, "valid" if name in self.of_validation else "train"): float(
                    trainer.callback_metrics[name]
                )
                for name in names
            }

    return Reporting()


def _step_watching_schedulers(trainer: Any, module: Any, metrics: dict[str, float]) -> None:
    """What Lightning does between the checkpoint of an epoch's end and the next epoch: step the schedulers that watch a
    metric of the epoch."""
    for config in trainer.lr_scheduler_configs if module.automatic_optimization else ():
        is_due = config.interval == "epoch" and trainer.current_epoch % config.frequency == 0
        if config.reduce_on_plateau and is_due and config.monitor in metrics:
            module.lr_scheduler_step(config.scheduler, metrics[config.monitor])
