"""Trains with Hugging Face's Trainer as a function of the user's sets it up, and reports what it evaluates."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from craftc.components.bounds import AS_WRITTEN
from craftc.components.build import build_written

if TYPE_CHECKING:
    from craftc import Run


def transformers(run: "Run", *, trainer: Annotated[Mapping[str, Any], AS_WRITTEN]) -> None:
    """Trains with a Trainer of Hugging Face's transformers, as a function of your own sets it up.

    Each evaluation is a record: eval_loss is recorded as valid/loss, what was logged last of training as train/loss.
    With several sets to evaluate on (eval_dataset={"valid": ..., "test": ...}) each is a split. A trial goes on from
    the Trainer's own checkpoint, which it writes at each evaluation.

    Args:
        trainer: A function that returns a transformers.Trainer, or an object of a subclass, with its arguments: a
            mapping with kind. Device, seed and output_dir are the trial's, whatever its TrainingArguments say.
    """
    if str(run.device) == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"  # else the Trainer takes any GPU that it sees
    from transformers import ProgressCallback, set_seed

    from craftc.components.programs.transformers_callback import Reporting

    set_seed(run.seed)
    began = time.time()
    built = build_written(trainer)
    _belong_to(built, run)
    _remove_if_left(Path(built.args.output_dir), began)
    built.args.output_dir = str(run.folder)
    reporting = Reporting(run, built)
    built.remove_callback(ProgressCallback)
    built.add_callback(reporting)
    built.train(resume_from_checkpoint=None if run.state is None else str(run.state))
    if built.args.eval_strategy == "no":
        built.evaluate()
    reporting.report_waiting()


def _belong_to(trainer: Any, run: "Run") -> None:
    """Give a Trainer the seed of its trial, as its own constructor does with that of its arguments."""
    from transformers import enable_full_determinism, set_seed

    trainer.args.seed = run.seed
    enable_full_determinism(run.seed) if trainer.args.full_determinism else set_seed(run.seed)
    # Without the state of the optimizer, no training goes on from a checkpoint.
    trainer.args.save_only_model = False


def _remove_if_left(folder: Path, began: float) -> None:
    """Remove the folder that the constructor of a Trainer makes for what is written elsewhere now."""
    with suppress(OSError):
        if folder.stat().st_mtime >= began:
            folder.rmdir()  # which fails where something is in it
