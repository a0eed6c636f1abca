"""Lists the metrics that a spec's trials record, when, and which direction of each is better."""

from typing import Literal

from craftc.compiler.language.pass_names import passes_of, stages_of
from craftc.schemas.catalogue import Catalogue, short_name
from craftc.schemas.spec import Select, Spec
from craftc.schemas.split_roles import HELD_OUT, ROLE_OF_NAME
from craftc.schemas.splits import Splits
from craftc.schemas.terms import loss_names, objective_names

Mode = Literal["min", "max"]
READ_BY_TRAINING = ("fit", "select")
"""The roles of the splits that are measured after every epoch."""


def metric_modes(spec: Spec, catalogue: Catalogue, *, passes: bool = True) -> dict[str, Mode | None]:
    """Metric name, without its split, to its better direction; None of a user's own that does not say. Losses of terms
    are among them. Without `passes`, those that are measured plainly."""
    modes: dict[str, Mode | None] = dict.fromkeys(["loss", *loss_names(sorted(spec.objective.terms))], "min")
    for metric in spec.objective.metrics:
        entry = catalogue.find("metrics", metric.kind)
        # An unknown metric is reported as unknown, and not as a metric without a direction.
        modes.setdefault(short_name(metric.kind), entry.mode if entry else "max")
    prefixes = (*passes_of(spec), *stages_of(spec)) if passes else ()
    return modes | {f"{prefix}.{name}": mode for prefix in prefixes for name, mode in modes.items()}


def recorded(spec: Spec, catalogue: Catalogue, *, held_out: bool) -> list[str]:
    """The names `<split>/<metric>` that a trial records; without `held_out`, those of every epoch, or of passes that
    can be measured so."""
    wanted = (*READ_BY_TRAINING, "final") if held_out else READ_BY_TRAINING
    roles = {split: role for split, role in spec.data.splits.roles.items() if role in wanted}
    metrics = list(metric_modes(spec, catalogue, passes=False))
    prefixes = [*passes_of(spec), *(stages_of(spec) if held_out else ())]
    of_passes = [f"{prefix}.{metric}" for prefix in prefixes for metric in metrics]
    measured = {split: [*metrics, *(of_passes if role != "fit" else ())] for split, role in roles.items()}
    names = [f"{split}/{metric}" for split, of_split in measured.items() for metric in of_split]
    return [*names, *recorded_objectives(spec)]


def recorded_objectives(spec: Spec) -> list[str]:
    """What is recorded of the steps of an epoch: what they minimise, and each term of it."""
    return [f"train/{name}" for name in ("objective", *objective_names(sorted(spec.objective.terms)))]


def mode_of(name: str, spec: Spec, catalogue: Catalogue) -> Mode:
    """The better direction of a recorded metric, which must be known."""
    mode = metric_modes(spec, catalogue).get(name.partition("/")[2], "min")
    assert mode is not None, "a metric without a direction was let through"
    return mode


def selection(spec: Spec) -> Select | None:
    """The metric that picks the best epoch; None for the last epoch."""
    if "select" in spec.evaluation.given:
        return spec.evaluation.select
    by = selecting_split(spec.data.splits)
    return None if by is None else Select(metric=f"{by}/loss", mode="infer")


def selecting_split(splits: Splits) -> str | None:
    """The split whose loss picks the best epoch where nothing else is said: `valid`, or the first that is said to be
    for it. What fractions call otherwise, `val` too, picks none, as before there were roles."""
    selecting = [name for name, role in splits.roles.items() if role == "select"]
    if "valid" in selecting:
        return "valid"
    is_given = splits.given_by or splits.folds
    return next((n for n in selecting if splits.says_role(n) or (is_given and n in ROLE_OF_NAME)), None)


def headline_split(splits: Splits) -> str:
    """The split that the conclusion is drawn from."""
    final = [name for name, role in splits.roles.items() if role == "final"]
    if final:
        return HELD_OUT if HELD_OUT in final else final[0]
    read = [name for name, role in splits.roles.items() if role in READ_BY_TRAINING]
    return selecting_split(splits) or read[-1]


def headline_name(spec: Spec) -> str:
    """The metric of the conclusion: the one that the report names, or the first metric on the split that is final, or
    else on the one that selects, or on the last."""
    if spec.report.metric is not None:
        return spec.report.metric
    split = headline_split(spec.data.splits)
    metric = short_name(spec.objective.metrics[0].kind) if spec.objective.metrics else "loss"
    return f"{split}/{metric}"
