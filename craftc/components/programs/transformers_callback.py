"""Reports to a Run what Hugging Face's Trainer evaluates, with its checkpoint as the state."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from craftc.components.programs.metric_names import SPLITS

if TYPE_CHECKING:
    from craftc import Run

_EVALUATION: Final = "eval_"
_TIMES: Final = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")
"""What a Trainer measures of the machine; it differs from one run to the next."""
_LOGGED: Final = ("loss", "grad_norm", "learning_rate")
"""What a Trainer logs of training."""


class Reporting(TrainerCallback):  # type: ignore[misc]
    """Has a checkpoint written at each evaluation, and makes a record of both."""

    def __init__(self, run: "Run", trainer: Any) -> None:
        self.run = run
        self.sets = tuple(trainer.eval_dataset) if isinstance(trainer.eval_dataset, Mapping) else ()
        self.waiting: dict[str, float] = {}
        self.step = 0
        self.last: Path | None = None if run.state is None else Path(run.state)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        logged: dict[str, Any] = next((entry for entry in reversed(state.log_history) if "loss" in entry), {})
        self.waiting |= {f"train/{name}": float(logged[name]) for name in _LOGGED if name in logged}
        self.waiting |= evaluated(given["metrics"], self.sets)
        self.step = state.global_step
        control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        if not self.waiting:
            return
        checkpoint = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        self.report_waiting(checkpoint)
        if self.last is not None and self.last != checkpoint and str(self.last) != state.best_model_checkpoint:
            shutil.rmtree(self.last, ignore_errors=True)
        self.last = checkpoint

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        # With save_strategy="best" there is no checkpoint of an evaluation that is not the best.
        self.report_waiting()

    def report_waiting(self, state: Path | None = None) -> None:
        """Make a record of what was evaluated last, if there is none yet."""
        waiting, self.waiting = self.waiting, {}
        if waiting:
            self.run.report(waiting, state=state, step=self.step)


def evaluated(metrics: Mapping[str, Any], sets: tuple[str, ...]) -> dict[str, float]:
    """The metrics of an evaluation, by craftc's names: `valid/loss` of `eval_loss`.

    Args:
        metrics: As the Trainer hands them to its callbacks.
        sets: The names of the sets that it evaluates on, if it does on several: `eval_test_loss` is `test/loss` then.
    """
    named = {}
    for name, value in metrics.items():
        if not name.startswith(_EVALUATION) or name.endswith(_TIMES):
            continue
        metric, split = name.removeprefix(_EVALUATION), "valid"
        for one in sorted(sets, key=len, reverse=True):
            if metric.startswith(f"{one}_"):
                metric, split = metric.removeprefix(f"{one}_"), SPLITS.get(one, one)
                break
        named[f"{split}/{metric}"] = float(value)
    return named
