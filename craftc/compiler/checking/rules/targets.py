"""Rules of what a source gives to be predicted, and of what objectives, metrics and models ask for by name.

Linting asks it of what sources declare, a run, before it trains, of the data itself.
"""

from collections.abc import Iterator, Sequence

from craftc.compiler.checking.rules.data_kinds import SOURCE_KIND, Named
from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.checking.rules.tables import inputs_of_table, target_of_table, with_its_role
from craftc.compiler.data_files.look import look
from craftc.compiler.data_files.seen import NOTHING
from craftc.compiler.language.declared_words import targets_in_words
from craftc.compiler.reading.nearest import nearest
from craftc.compiler.reading.problem import Problem, all_of, did_you_mean, one_of, show
from craftc.schemas.catalogue import Catalogue, is_own

MEASURES = ("objectives", "metrics")
VERBS = {"after_stages": "is fitted to", "artefacts": "shows"}
TARGET_NAMES = ("targets", "target", "labels", "label")


def targets_fit(checked: Checked) -> Iterator[Problem]:
    """What measures predictions can work with the target that the source gives."""
    data = checked.spec.data
    entry = checked.catalogue.find("sources", data.source.kind)
    if entry is None or not entry.gives_targets:
        return
    seen = NOTHING if checked.folder is None else look({"kind": data.source.kind, **data.source.args}, checked.folder)
    kinds: Sequence[str] = entry.gives_targets if seen.target is None else (seen.target,)
    kinds = kinds if data.target is None else _of_a_column(checked)
    of_table = target_of_table(checked) if data.target is None else None
    misfits = misfits_of_target(
        measures(checked), data.source.kind, kinds if of_table is None else (of_table,), checked.catalogue
    )
    yield from misfits if of_table is None else with_its_role(misfits, of_table, data.source.args["target"])


def _of_a_column(checked: Checked) -> Sequence[str]:
    """An input that is its own target is quantities, but of text tokens; of any other column it is not known."""
    entry = checked.catalogue.find("sources", checked.spec.data.source.kind)
    if entry is None or checked.spec.data.target != "x":
        return ()
    return ("token",) if entry.gives == ("text",) else ("real",)


def measures(checked: Checked) -> Iterator[Named]:
    """The objectives, the metrics, the after-stages and the artefacts of a spec."""
    for place, objective in checked.spec.objective.summands.items():
        yield Named("objectives", (*place, "kind"), objective.kind)
    for index, metric in enumerate(checked.spec.objective.metrics):
        yield Named("metrics", ("objective", "metrics", index, "kind"), metric.kind)
    for index, stage in enumerate(checked.spec.evaluation.after):
        yield Named("after_stages", ("evaluation", "after", index, "kind"), stage.kind)
    for index, artefact in enumerate(checked.spec.report.artefacts):
        yield Named("artefacts", ("report", "artefacts", index, "kind"), artefact.kind)


def misfits_of_target(
    measures: Iterator[Named], source: str, kinds: Sequence[str], catalogue: Catalogue
) -> Iterator[Problem]:
    """Which objectives and metrics can do nothing with a target of these kinds."""
    for measure in measures if kinds else ():
        entry = catalogue.find(measure.group, measure.kind)
        if entry is None or not entry.takes_targets or set(entry.takes_targets) & set(kinds):
            continue
        fitting = [
            other.kind
            for other in catalogue.entries
            if other.group == measure.group and set(other.takes_targets) & set(kinds)
        ]
        is_quantity = "class" in entry.takes_targets and set(kinds) <= {"real", "vectors"}
        message = f"{measure.kind} {VERBS.get(measure.group, 'measures')} {targets_in_words(entry.takes_targets)}"
        message += f", and the target that {source} gives is {targets_in_words(kinds)}"
        hints = [f"use {one_of(fitting)}"] if fitting else []
        hints += ["or write ranges of the quantity as classes"] if is_quantity else []
        hint = "; ".join(hints).removeprefix("or ") or None
        code = "target-not-classes" if is_quantity else "unfit-for-target"
        yield Problem(code, measure.path, message, hint, reads=(measure.path, SOURCE_KIND), related=entry.definition())


def columns_asked_for(checked: Checked) -> Iterator[Problem]:
    """What components of the user's own must be given by name is a column, where the source says which it has."""
    spec = checked.spec
    entry = checked.catalogue.find("sources", spec.data.source.kind)
    inputs = inputs_of_table(checked) or (entry.gives_columns if entry else ())
    if not inputs:
        return
    values = tuple(spec.training.values)
    columns = (*inputs, *values, *TARGET_NAMES)
    # An objective may ask for what a model of the user's own returns by name.
    measured = () if is_own(spec.model.kind) else MEASURES
    offered = {"models": inputs} | dict.fromkeys(measured, columns)
    for named in (Named("models", ("model", "kind"), spec.model.kind), *measures(checked)):
        component = checked.catalogue.find(named.group, named.kind)
        if component is None or named.group not in offered:
            continue
        asked = component.asks
        if named.group == "models" and asked:
            # By position: the column of that name, or the first input.
            first, asked = asked[0], asked[1:]
            first = first if first in inputs else inputs[0]
            offered["models"] = (*(name for name in inputs if name != first), *values)
        for name in asked:
            if name in offered[named.group]:
                continue
            near = nearest(name, offered[named.group])
            message = f"{show(named.kind)} must be given {name}, and {spec.data.source.kind} gives {all_of(inputs)}"
            hint = did_you_mean(name, offered[named.group]) if near else "give it a default, or let a source give it"
            reads = (named.path, SOURCE_KIND)
            yield Problem("missing-column", named.path, message, hint, reads=reads, related=component.definition())


TARGET_RULES: tuple[Rule, ...] = (targets_fit, columns_asked_for)
"""What is to be predicted, and by which columns, as far as it is declared."""
