"""Rules of how a step is computed: one function and one code each. Every function yields what breaks its rule."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.reading.problem import Problem
from craftc.schemas.diagnostic import Path

COMPILE: Path = ("training", "compile")


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


STEP_RULES: tuple[Rule, ...] = (measured_choice, compiled_workers)
"""How a step is computed."""
