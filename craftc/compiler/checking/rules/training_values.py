"""Rules of the names of values: something takes each, and each is the name of nothing else."""

from collections.abc import Iterator, Mapping

from craftc.compiler.checking.rules.phases import VALUES
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.checking.rules.tables import inputs_of_table
from craftc.compiler.checking.rules.targets import TARGET_NAMES
from craftc.compiler.language.recorded_metrics import metric_modes
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean
from craftc.schemas.diagnostic import Path
from craftc.schemas.terms import objective_names

MODEL: Path = ("model", "kind")
SOURCE: Path = ("data", "source", "kind")
USUAL_COLUMNS = ("mask", "weight", "targets_mask")
"""Parameters that are meant for columns, whether the source is known to give them or not."""
HINT = "give the value another name"


def value_is_taken(checked: Checked) -> Iterator[Problem]:
    """The model or the objective has a parameter of that name, where the source of both can be read."""
    named = _named(checked)
    if named is None:
        return
    of_model, of_objectives = named
    used_elsewhere = (*_columns(checked), *_recorded(checked))
    # The second parameter of an objective is the target, unless it is called as a value is.
    offered = [n for names in (of_model, *(each[1:] for each in of_objectives)) for n in names]
    offered = [name for name in dict.fromkeys(offered) if name not in (*used_elsewhere, *USUAL_COLUMNS)]
    for name in checked.spec.training.values:
        if name in used_elsewhere or any(name in names for names in (of_model, *of_objectives)):
            continue
        summands = checked.spec.objective.summands
        kinds = " nor ".join(str(each.kind) for each in (checked.spec.model, *summands.values()))
        message = f'nothing takes the value "{name}": forward of neither {kinds} has a parameter of that name'
        hint: str | None = "give forward a parameter of that name, or remove it"
        if offered:
            hint = did_you_mean(name, offered) if nearest(name, offered) else f"there is {all_of(offered)}"
        reads = (MODEL, *((*place, "kind") for place in summands))
        yield Problem("value-unused", (*VALUES, name), message, hint, at_key=True, reads=reads)


def value_name(checked: Checked) -> Iterator[Problem]:
    """A value is called as no column is, and as nothing else that is recorded of train."""
    source = checked.spec.data.source.kind
    for name in checked.spec.training.values:
        place: Path = (*VALUES, name)
        if name in _columns(checked):
            message = f'"{name}" is the name of a column of {source}, and forward is given one of the two'
            yield Problem("value-name", place, message, HINT, at_key=True, reads=(place, SOURCE))
        elif name in _recorded(checked):
            message = f'"train/{name}" is recorded anyway, and the value would be recorded as that'
            yield Problem("value-name", place, message, HINT, at_key=True, reads=(place, ("objective", "metrics")))


def _columns(checked: Checked) -> tuple[str, ...]:
    """The names of columns, as far as they are known."""
    source = checked.catalogue.find("sources", checked.spec.data.source.kind)
    return (*(inputs_of_table(checked) or (source.gives_columns if source else ())), *TARGET_NAMES)


def _recorded(checked: Checked) -> tuple[str, ...]:
    """What is recorded of train."""
    objectives = objective_names(checked.spec.objective.terms)
    return ("objective", *objectives, "lr", *metric_modes(checked.spec, checked.catalogue))


def _named(checked: Checked) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """The parameters that forward of the model, and of each objective, can be given by name; None where one cannot be
    read."""
    model = checked.catalogue.find("models", str(_trained(checked).get("kind")))
    objectives = [checked.catalogue.find("objectives", str(o.kind)) for o in checked.spec.objective.summands.values()]
    named = [None if entry is None else entry.named for entry in objectives]
    known = [names for names in named if names is not None]
    if model is None or model.named is None or len(known) < len(named):
        return None
    return model.named, known


def _trained(checked: Checked) -> Mapping[str, object]:
    """The model that is trained: of a frozen backbone, the head."""
    model = checked.tree["model"]
    parts = checked.catalogue.frozen_parts(str(model.get("kind")))
    head = model if parts is None else model.get(parts.head)
    return head if isinstance(head, Mapping) else {"kind": head}


TRAINING_VALUE_RULES: tuple[Rule, ...] = (value_name, value_is_taken)
"""Of the names of values."""
