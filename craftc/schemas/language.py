"""The language as a whole: the keys of a spec that craftc trains by, and those of a spec that a program trains by."""

from collections.abc import Container
from typing import Annotated, cast

from craftc.schemas.diagnostic import Path
from craftc.schemas.program_spec import Program, ProgramSpec
from craftc.schemas.section import Field, Section
from craftc.schemas.spec import ComponentGroup, Experiment, Spec

PROGRAM = "program"
"""The section whose presence says that a program trains."""


class Language(Spec, before="ablation"):
    """Every key that a spec may have. No spec has all of them: it is looked up in, and never read."""

    program: Annotated[Program, ComponentGroup("programs")] = Field(
        description="In the place of data, model, objective and regularization: a function that trains, and its "
        "arguments. A spec with it has early_stopping alone in training, and select alone in evaluation.",
        examples=[{"kind": "lab.simclr:train", "lr": 1e-3}],
    )


_TRAINED = ("data", "model", "objective", "regularization", "training", "evaluation")
_OF_PROGRAM = (PROGRAM, "training", "evaluation")
SECTIONS: dict[str, type[Section]] = {
    name: cast("type[Section]", Language.fields[name].annotation) for name in (*_TRAINED, PROGRAM)
}
"""The sections that decide a result, and their classes; an ablation varies nothing else. No spec has all of them."""


def sections_of(tree: Container[str]) -> tuple[str, ...]:
    """The sections that decide a result of a spec, or a trial, with these."""
    return _OF_PROGRAM if PROGRAM in tree else _TRAINED


def class_of(tree: Container[str]) -> type[Spec] | type[ProgramSpec]:
    """What a spec, or a trial, with these sections is of."""
    return ProgramSpec if PROGRAM in tree else Spec


def is_of(spec: type[Experiment], path: Path) -> bool:
    """Whether a key of the language is one of a kind of spec, by the first two keys of its path."""
    if path[0] not in spec.fields:
        return False
    fields = SECTIONS[str(path[0])].fields if path[0] in SECTIONS else {}
    inner = cast("type[Section]", spec.fields[str(path[0])].annotation)
    return len(path) < 2 or path[1] not in fields or path[1] in inner.fields
