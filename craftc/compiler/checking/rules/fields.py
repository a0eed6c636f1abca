"""Rules of splits and components: one function and one code each, which yields what breaks its rule."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

from craftc.compiler.checking.rules.rule import Checked, CheckedExperiment, ExperimentRule, Rule
from craftc.compiler.language.component_fields import ComponentField, all_component_places, component_fields
from craftc.compiler.language.expression import ExpressionError, parse_expression
from craftc.compiler.language.handed_on import candidates, group_of_handed, handed_to
from craftc.compiler.reading.problem import Problem, all_of, show
from craftc.compiler.reading.tree import look_up, written_at
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import REGULARIZED

RUNS_FOLDERS = frozenset({"store", "slurm", "submissions"})
"""What stands in the folder of runs beside experiments; a file system that folds cases takes STORE for the same."""
DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(1, 10))}
)


def splits_sum(checked: Checked) -> Iterator[Problem]:
    """The fractions of the splits are the whole."""
    splits = checked.spec.data.splits
    fractions = splits.fractions
    total = sum(fractions.values())
    if not splits.given_by and set(splits.shares) == set(splits.names) and abs(total - 1) > 1e-6:
        message = f"the splits {all_of(fractions, ' + ')} are {total:g} of the data; expected 1"
        yield Problem("splits-sum", ("data", "splits"), message)


def experiment_name(checked: CheckedExperiment) -> Iterator[Problem]:
    """A name that its folder can have beside what the folder of runs holds itself, on every system."""
    name = checked.spec.name
    if name.lower() in RUNS_FOLDERS:
        message = f"{show(name)} is the folder of runs that all experiments share"
        yield Problem("unfit-name", ("name",), message, "give the experiment another name")
    elif name.partition(".")[0].lower() in DEVICES:
        message = f"{show(name)} cannot name a folder on Windows"
        yield Problem("unfit-name", ("name",), message, "give the experiment another name")


def split_name(checked: Checked) -> Iterator[Problem]:
    """A split's name can stand before the slash of a metric and between the dots of a path."""
    for name in checked.spec.data.splits.names:
        if not name or set(name) & set("/.") or name.isdigit():
            message = f'{show(name)} cannot name a split: it stands in metrics as "<split>/<metric>" and in paths'
            hint = "use letters, digits and _ and begin with a letter"
            yield Problem("wrong-name", ("data", "splits", name), message, hint, at_key=True)


def regularization_unsupported(checked: Checked) -> Iterator[Problem]:
    """What `regularization` hands on has a taker."""
    for name, taking in _handed_on(checked):
        if not taking:
            path, asked = REGULARIZED[name], candidates(name, checked.spec)
            kinds = " and ".join(dict.fromkeys(component.kind for component in asked.values()))
            has = "has" if len(asked) == 1 else "have"
            message = f'"{name}" has no effect: {kinds} at "{format_path(path)}" {has} no argument of that name'
            hint = f'remove it, or use another {format_path(path)} that takes "{name}"'
            place, reads = ("regularization", name), tuple((*each, "kind") for each in asked)
            yield Problem("regularization-unsupported", place, message, hint, True, reads=reads)


def set_twice(checked: Checked) -> Iterator[Problem]:
    """What `regularization` hands on is not set by the component as well."""
    for name, path in ((name, path) for name, taking in _handed_on(checked) for path in taking):
        if name in written_at(checked.written, path):
            message = f'"{name}" is set here and in "{format_path(path)}"; only one can count'
            reads = ((*path, "kind"), (*path, name))
            yield Problem("set-twice", ("regularization", name), message, "keep one of the two", True, reads=reads)


def _handed_on(checked: Checked) -> Iterator[tuple[str, list[Path]]]:
    """Each key that is given, and the components that take it; none of which nothing is known."""
    for name in REGULARIZED:
        if getattr(checked.spec.regularization, name) is not None and all(
            checked.catalogue.find(group_of_handed(name), component.kind) is not None
            for component in candidates(name, checked.spec).values()
        ):
            yield name, handed_to(name, checked.spec, checked.catalogue)


def constraint(fields: Iterable[ComponentField], checked: CheckedExperiment) -> Iterator[Problem]:
    """The arguments of a component in these fields, or within it, fit each other, by its author's `constraints`."""
    for place in all_component_places(checked.tree, checked.catalogue, fields):
        entry = checked.catalogue.find(place.group, str(place.value.get("kind")))
        for text in entry.constraints if entry else ():
            values = _refused_values(text, place.value)
            if values is None:
                continue
            given = ", ".join(f"{name} = {show(value)}" for name, value in values.items())
            reads = tuple((*place.path, name) for name in values)
            written = next((path for path in reads if _is_written(checked.written, path)), place.path)
            message = f"{place.value['kind']} cannot be built with {given}: it needs {text}"
            yield Problem("constraint-broken", written, message, reads=reads)


def _refused_values(text: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The numbers and texts that a rule between arguments names and refuses; None where it is met or cannot be asked.

    What a user's class calls `constraints` may be something else altogether, and `infer` and `none` stand for numbers.
    """
    try:
        rule = parse_expression(text)
        values = {str(name[0]): arguments.get(str(name[0])) for name in rule.names}
        can_be_asked = all(isinstance(v, int | float | str) and v not in ("infer", "none") for v in values.values())
        return values if can_be_asked and not rule.evaluate(values) else None
    except ExpressionError:
        return None


def _is_written(tree: dict[str, Any], path: Path) -> bool:
    try:
        look_up(tree, path)
    except KeyError:
        return False
    return True


FIELD_RULES: tuple[Rule, ...] = (
    splits_sum,
    split_name,
    regularization_unsupported,
    set_twice,
)
"""Of the experiment itself: its splits and components."""
CONSTRAINTS: dict[str, ExperimentRule] = {
    str(section): partial(constraint, tuple(fields))
    for section, fields in groupby(component_fields(), key=lambda field: field.path[0])
}
"""The constraints of the components of each section, which depend on nothing outside of it."""
