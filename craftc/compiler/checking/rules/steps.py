"""Rules of how a step is computed: one function and one code each. Every function yields what breaks its rule."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule, gives_embeddings
from craftc.compiler.reading.problem import Problem, all_of, show
from craftc.schemas.diagnostic import Path

COMPILE: Path = ("training", "compile")
ACCUMULATE: Path = ("training", "accumulate")
MICRO_BATCH: Path = ("resources", "micro_batch")


def measured_choice(checked: Checked) -> Iterator[Problem]:
    """What is to come out bit by bit alike does not hang on measured times."""
    training = checked.spec.training
    if training.deterministic and training.compile == "auto":
        message = "compile: auto decides by measured times, and deterministic asks that nothing does"
        place: Path = ("training", "deterministic")
        yield Problem(
            "measured-choice", COMPILE, message, "write compile: true or compile: false", reads=(COMPILE, place)
        )


def compiled_workers(checked: Checked) -> Iterator[Problem]:
    """A step that is compiled is one worker's."""
    workers = checked.spec.resources.workers
    if checked.spec.training.compile is True and workers > 1:
        message = f"the step of {workers} workers, who add up gradients within it, cannot be compiled"
        hint = "write compile: false, or workers: 1"
        yield Problem("compiled-workers", COMPILE, message, hint, reads=(COMPILE, ("resources", "workers")))


def micro_batches_of_a_whole(checked: Checked) -> Iterator[Problem]:
    """A batch is taken in parts where it comes to the same, and in parts of a size that is known."""
    size, training = checked.spec.resources.micro_batch, checked.spec.training
    if size is None:
        return
    if gives_embeddings(checked):
        message = "the objective compares the samples of a batch with each other, and a micro-batch has some of them"
        reads = (MICRO_BATCH, ("data", "views"), *((*place, "kind") for place in checked.spec.objective.summands))
        yield Problem("micro-batch-unfit", MICRO_BATCH, message, "write micro_batch: none", reads=reads)
    if size == "auto" and training.compile is True:
        message = "micro_batch: auto finds its size while it trains, and compile: true compiles one before"
        hint = "write a number of samples, or compile: false"
        yield Problem("micro-batch-unfit", MICRO_BATCH, message, hint, reads=(MICRO_BATCH, COMPILE))


def accumulated_comparison(checked: Checked) -> Iterator[Problem]:
    """A step of several batches compares the samples of each with each other, and none across them."""
    training = checked.spec.training
    if training.accumulate == 1 or not gives_embeddings(checked):
        return
    kinds = all_of(str(objective.kind) for objective in checked.spec.objective.summands.values())
    message = f"{kinds} compares the {show(training.batch_size)} samples of a batch with each other, and no others of "
    message += f"the {training.batch_size * training.accumulate} of a step"
    hint = "a larger batch_size gives it more to compare with"
    reads: tuple[Path, ...] = (ACCUMULATE, ("training", "batch_size"), ("data", "views"))
    reads += tuple((*place, "kind") for place in checked.spec.objective.summands)
    yield Problem("accumulated-comparison", ACCUMULATE, message, hint, severity="warning", reads=reads)


STEP_RULES: tuple[Rule, ...] = (measured_choice, compiled_workers, micro_batches_of_a_whole, accumulated_comparison)
"""How a step is computed."""
