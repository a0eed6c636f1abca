"""Rules of models that give embeddings, of one or of several views of a sample, and of what can work with those."""

from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule, gives_embeddings
from craftc.compiler.checking.rules.targets import measures
from craftc.compiler.reading.problem import Problem, all_of, one_of
from craftc.schemas.catalogue import Catalogue, OutputKind, is_own
from craftc.schemas.diagnostic import Path

VIEWS: Path = ("data", "views")
MODEL_KIND: Path = ("model", "kind")


def views_compared(checked: Checked) -> Iterator[Problem]:
    """Several views of a sample are for an objective that compares them, and such an objective needs several."""
    num_views = checked.spec.data.views
    for place, objective in checked.spec.objective.summands.items():
        kind, path = str(objective.kind), (*place, "kind")
        entry = checked.catalogue.find("objectives", kind)
        if entry is None:
            continue
        if num_views == 1 and entry.takes_outputs == ("views",):
            message = f"{kind} compares views of a sample, and data.views is 1"
            yield _unfit(path, message, "write data.views: 2", VIEWS)
        elif num_views > 1 and "views" not in entry.takes_outputs and (entry.takes_outputs or not is_own(kind)):
            message = f"{kind} compares no views of a sample, and data.views is {num_views}"
            yield _unfit(path, message, f"use {_fitting('objectives', 'views', checked.catalogue)}, or 1 view", VIEWS)


def views_trained(checked: Checked) -> Iterator[Problem]:
    """Views of a batch are compared in one process, and are made of what the model itself is given."""
    spec = checked.spec
    if spec.data.views == 1:
        return
    if spec.resources.workers > 1:
        message = (
            f"{spec.resources.workers} workers have a part of each batch each, and views of a sample are compared with "
            "all of the batch"
        )
        yield _unfit(("resources", "workers"), message, "write workers: 1", VIEWS)
    if checked.catalogue.frozen_parts(spec.model.kind) is not None:
        message = f"the head of a {spec.model.kind} is given features, of which there are no views"
        yield _unfit(MODEL_KIND, message, "train the model itself, or leave data.views out", VIEWS)


def _unfit(path: Path, message: str, hint: str, *reads: Path) -> Problem:
    return Problem("unfit-for-views", path, message, hint, reads=(path, *reads))


def embeddings_measured(checked: Checked) -> Iterator[Problem]:
    """Embeddings are no predictions of the target, so what measures those can do nothing with them."""
    if not gives_embeddings(checked):
        return
    summands = checked.spec.objective.summands
    trained_by = all_of(str(objective.kind) for objective in summands.values())
    for measure in measures(checked):
        metric = checked.catalogue.find(measure.group, measure.kind)
        if measure.group != "metrics" or metric is None or is_own(measure.kind) or metric.takes_outputs:
            continue
        trains = "trains" if len(summands) == 1 else "train"
        message = f"{measure.kind} measures predictions, and a model that {trained_by} {trains} gives embeddings"
        hint = f"use {_fitting('metrics', 'embeddings', checked.catalogue)}"
        reads = (measure.path, VIEWS, *((*place, "kind") for place in summands))
        yield Problem("unfit-for-embeddings", measure.path, message, hint, reads=reads)


def _fitting(group: str, output: OutputKind, catalogue: Catalogue) -> str:
    return one_of(entry.kind for entry in catalogue.entries if entry.group == group and output in entry.takes_outputs)


VIEW_RULES: tuple[Rule, ...] = (views_compared, views_trained, embeddings_measured)
"""What several views of a sample, and embeddings, are asked of."""
