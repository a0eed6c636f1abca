"""What the artefacts of a spec are called, and whose predictions each shows."""

from craftc.compiler.language.pass_names import pass_of, passes_of, stages_of
from craftc.compiler.language.recorded_metrics import headline_name
from craftc.schemas.catalogue import short_name
from craftc.schemas.spec import Artefact, Spec

INFER = "infer"


def artefact_name(artefact: Artefact) -> str:
    """What its files are called."""
    return short_name(artefact.kind) if artefact.name == INFER else artefact.name


def shown_of(artefact: Artefact, spec: Spec) -> str:
    """A split, `<split>/<pass>` or `<split>/<after-stage>`: what is written, or that of the headline.

    What is made while a trial trains shows no split that is final, and nothing behind what is fitted at the end: there,
    it is a split for select, or else train.
    """
    if artefact.of != INFER:
        return artefact.of
    name = headline_name(spec)
    split, by = name.partition("/")[0], pass_of(name, (*passes_of(spec), *stages_of(spec)))
    if artefact.every is not None:
        roles = spec.data.splits.roles
        by = by if by in passes_of(spec) else None
        if roles.get(split) == "final":
            split = next((other for other, role in roles.items() if role == "select"), "train")
    return split if by is None else f"{split}/{by}"
