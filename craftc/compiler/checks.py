"""Rules between fields: one function and one code each. Every function yields what breaks its rule."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from craftc.compiler.component_fields import ComponentField, all_component_places, component_fields
from craftc.compiler.expression import ExpressionError, parse_expression
from craftc.compiler.problem import Problem, did_you_mean, one_of, show
from craftc.compiler.recorded_metrics import HELD_OUT, metric_modes, recorded, selection
from craftc.compiler.tree import look_up
from craftc.schemas.catalogue import Catalogue, is_own, short_name
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Spec

REGULARIZED: dict[str, Path] = {
    "dropout": ("model",),
    "weight_decay": ("training", "optimizer"),
    "label_smoothing": ("objective",),
}
"""Keys of `regularization` that are handed to an argument of the same name, and whose."""


SLURM_TIME = re.compile(r"(\d+-)?\d{1,2}:\d{2}:\d{2}")
SLURM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Checked:
    """What the rules look at: the spec, the same as plain values, and the tree as written, components spelled out."""

    spec: Spec
    tree: dict[str, Any]
    written: dict[str, Any]
    catalogue: Catalogue


Rule = Callable[[Checked], Iterator[Problem]]


def check(checked: Checked, rules: tuple[Rule, ...]) -> list[Problem]:
    """Every broken rule, in the order of the rules."""
    return [problem for rule in rules for problem in rule(checked)]


def splits_sum(checked: Checked) -> Iterator[Problem]:
    """The fractions of the splits are the whole."""
    fractions = checked.spec.data.splits.fractions
    total = sum(fractions.values())
    if abs(total - 1) > 1e-6:
        message = f"the splits {' + '.join(fractions)} are {total:g} of the data; expected 1"
        yield Problem("splits-sum", ("data", "splits"), message)


def split_name(checked: Checked) -> Iterator[Problem]:
    """A split's name can stand before the slash of a metric and between the dots of a path."""
    for name in checked.spec.data.splits.fractions:
        if not name or set(name) & set("/.") or name.isdigit():
            message = f'{show(name)} cannot name a split: it stands in metrics as "<split>/<metric>" and in paths'
            hint = "use letters, digits and _ and begin with a letter"
            yield Problem("wrong-name", ("data", "splits", name), message, hint, at_key=True)


def regularization_unsupported(checked: Checked) -> Iterator[Problem]:
    """What `regularization` hands on has a taker."""
    for name, path, kind, taken in _handed_on(checked):
        if not taken:
            message = f'"{name}" has no effect: {kind} at "{format_path(path)}" has no argument of that name'
            hint = f'remove it, or use another {format_path(path)} that takes "{name}"'
            place, reads = ("regularization", name), ((*path, "kind"),)
            yield Problem("regularization-unsupported", place, message, hint, True, reads=reads)


def set_twice(checked: Checked) -> Iterator[Problem]:
    """What `regularization` hands on is not set by the component as well."""
    for name, path, _, taken in _handed_on(checked):
        if taken and name in _at(checked.written, path):
            message = f'"{name}" is set here and in "{format_path(path)}"; only one can count'
            reads = ((*path, "kind"), (*path, name))
            yield Problem("set-twice", ("regularization", name), message, "keep one of the two", True, reads=reads)


def _handed_on(checked: Checked) -> Iterator[tuple[str, Path, str, bool]]:
    for name, path in REGULARIZED.items():
        component = _at(checked.tree, path)
        entry = checked.catalogue.find(_group_of(path), str(component.get("kind")))
        if getattr(checked.spec.regularization, name) is not None and entry is not None:
            yield name, path, entry.kind, entry.parameter(name) is not None


def _group_of(path: Path) -> str:
    return next(field.group for field in component_fields() if field.path == path)


def _at(tree: dict[str, Any], path: Path) -> dict[str, Any]:
    value: Any = tree
    for part in path:
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return value if isinstance(value, dict) else {}


def constraint(field: ComponentField, checked: Checked) -> Iterator[Problem]:
    """The arguments of a component, one of that field or within it, fit each other, as its author says in `constraints`."""
    for place in all_component_places(checked.tree, (field,)):
        entry = checked.catalogue.find(place.group, str(place.value.get("kind")))
        for text in entry.constraints if entry else ():
            values = _values_for(text, place.value)
            if values is None or parse_expression(text).evaluate(values):
                continue
            given = ", ".join(f"{name} = {show(value)}" for name, value in values.items())
            reads = tuple((*place.path, name) for name in values)
            written = next((path for path in reads if _is_written(checked.written, path)), place.path)
            message = f"{place.value['kind']} cannot be built with {given}: it needs {text}"
            yield Problem("constraint-broken", written, message, reads=reads)


def _values_for(text: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The numbers that a rule between arguments names; None where it cannot be asked.

    What a user's class calls `constraints` may be something else altogether.
    """
    try:
        rule = parse_expression(text)
        values = {str(name[0]): arguments.get(str(name[0])) for name in rule.names}
        if all(isinstance(value, int | float) for value in values.values()):
            rule.evaluate(values)
            return values
    except ExpressionError:
        pass
    return None


def _is_written(tree: dict[str, Any], path: Path) -> bool:
    try:
        look_up(tree, path)
    except KeyError:
        return False
    return True


RECORDED_ANYWAY = ("loss", "objective", "lr")
"""What is recorded beside the metrics, and so names none of them."""


class _Named(NamedTuple):
    """A metric that the spec names by `<split>/<metric>`. `mode` is None where it steers nothing."""

    place: Path
    metric: str
    mode: str | None


def _named_metrics(spec: Spec) -> Iterator[_Named]:
    if (stop := spec.training.early_stopping) is not None:
        yield _Named(("training", "early_stopping"), stop.metric, stop.mode)
    if (select := selection(spec)) is not None:
        yield _Named(("evaluation", "select"), select.metric, select.mode)
    for index, phase in enumerate(spec.training.schedule):
        if isinstance(phase.args.get("metric"), str):
            yield _Named(("training", "schedule", index), phase.args["metric"], str(phase.args.get("mode", "infer")))
    if spec.search is not None:
        yield _Named(("search", "optimize"), spec.search.optimize.metric, spec.search.optimize.mode)
    if spec.report.metric is not None:
        yield _Named(("report",), spec.report.metric, None)


def unknown_metric(checked: Checked) -> Iterator[Problem]:
    """A metric that is named is one that is recorded."""
    every_epoch = recorded(checked.spec, checked.catalogue, held_out=True)
    # What a step minimises belongs to the epoch that trained, and not to the weights that a conclusion is drawn of.
    of_weights = [name for name in every_epoch if name != "train/objective"]
    for place, metric, mode in _named_metrics(checked.spec):
        names = every_epoch if mode is not None else of_weights
        if metric not in names:
            fit = [name for name in names if mode is None or not name.startswith(f"{HELD_OUT}/")]
            hint = did_you_mean(metric, fit) or f"recorded are {one_of(fit)}"
            reads = (("objective", "metrics"), ("data", "splits"))
            yield Problem("unknown-metric", (*place, "metric"), f"nothing records {show(metric)}", hint, reads=reads)


def held_out_used(checked: Checked) -> Iterator[Problem]:
    """Nothing is chosen by the held-out split."""
    names = recorded(checked.spec, checked.catalogue, held_out=True)
    for place, metric, mode in _named_metrics(checked.spec):
        if mode is not None and metric.startswith(f"{HELD_OUT}/") and metric in names:
            message = f'"{metric}" is measured once, at the end; nothing can be chosen by it'
            yield Problem("held-out-used", (*place, "metric"), message, "choose by another split, such as valid")


def wrong_mode(checked: Checked) -> Iterator[Problem]:
    """A given direction is the metric's own."""
    modes = metric_modes(checked.spec, checked.catalogue)
    for place, metric, mode in _named_metrics(checked.spec):
        better = modes.get(metric.partition("/")[2])
        if mode in ("min", "max") and better is not None and mode != better:
            message = f'mode {mode} prefers a worse "{metric}": its better direction is {better}'
            hint = f"write {better}, or leave mode out"
            yield Problem("wrong-mode", (*place, "mode"), message, hint, reads=((*place, "metric"),))


def duplicate_metric(checked: Checked) -> Iterator[Problem]:
    """Every metric is recorded under a name of its own."""
    seen: dict[str, str] = {}
    for index, metric in enumerate(checked.spec.objective.metrics):
        name, path = short_name(metric.kind), ("objective", "metrics", index)
        if is_own(metric.kind) and name in RECORDED_ANYWAY:
            message = f'"{metric.kind}" would be recorded as "{name}", which is the name of something else'
            yield Problem("duplicate-metric", path, message, "give the class another name")
        elif name in seen:
            same = "listed twice" if seen[name] == metric.kind else f'recorded as "{name}", as "{seen[name]}" is'
            yield Problem("duplicate-metric", path, f'"{metric.kind}" is {same}')
        seen.setdefault(name, metric.kind)


def metric_without_mode(checked: Checked) -> Iterator[Problem]:
    """Whatever is chosen, or concluded, by a metric is known to be better when greater or when less."""
    metrics = checked.spec.objective.metrics
    undirected = {name for name, mode in metric_modes(checked.spec, checked.catalogue).items() if mode is None}
    told = {short_name(metric.kind): metric.kind for metric in reversed(metrics)}
    hint = 'give its class mode = "min" or "max", or higher_is_better'
    for place, metric, mode in _named_metrics(checked.spec):
        name = metric.partition("/")[2]
        if name in undirected and mode in ("infer", None):
            or_mode = f"write mode: min or max here, or {hint}" if mode else hint
            yield _without_mode((*place, "metric"), told[name], or_mode, checked)
    if checked.spec.report.metric is None and metrics and short_name(metrics[0].kind) in undirected:
        other = f"{hint}, or name another metric in report.metric"
        yield _without_mode(("objective", "metrics", 0), metrics[0].kind, other, checked)


def _without_mode(path: Path, kind: str, hint: str, checked: Checked) -> Problem:
    entry = checked.catalogue.find("metrics", kind)
    message = f'"{kind}" does not say which way is better, and it decides here'
    reads = (("objective", "metrics"),)
    return Problem("metric-without-mode", path, message, hint, reads=reads, related=entry.definition() if entry else ())


def schedule_open_phase(checked: Checked) -> Iterator[Problem]:
    """Every phase of a schedule but the last says how long it is."""
    schedule = checked.spec.training.schedule
    for index, phase in enumerate(schedule[:-1]):
        if phase.args.get("epochs") == "none":
            message = f"{phase.kind} takes all epochs that remain, so what follows it never comes"
            yield Problem("schedule-open-phase", ("training", "schedule", index), message, "give it epochs")


def schedule_too_long(checked: Checked) -> Iterator[Problem]:
    """The phases of a schedule fit into the training."""
    epochs = checked.spec.training.epochs
    lengths = [phase.args.get("epochs") for phase in checked.spec.training.schedule]
    total = sum(length for length in lengths if isinstance(length, int))
    if total > epochs:
        message = f"the phases take {total} epochs, but training.epochs is {epochs}"
        reads = (("training", "epochs"), ("training", "schedule"))
        yield Problem("schedule-too-long", ("training", "schedule"), message, reads=reads)


def no_effect(checked: Checked) -> Iterator[Problem]:
    """A setting that the others leave without effect is told."""
    spec = checked.spec
    stop = spec.training.early_stopping
    if stop is not None and stop.patience >= spec.training.epochs:
        message = f"a patience of {stop.patience} cannot stop a training of {spec.training.epochs} epochs"
        path: Path = ("training", "early_stopping", "patience")
        reads = (path, ("training", "epochs"))
        yield Problem("no-effect", path, message, severity="warning", reads=reads)


def fractional_gpus(checked: Checked) -> Iterator[Problem]:
    """A share of a GPU is a share of one GPU, and one trial's workers cannot share one."""
    resources = checked.spec.resources
    gpus = resources.gpus
    if gpus > 1 and gpus != int(gpus):
        message = f"{gpus:g} GPUs cannot be given; a share is of one GPU, more than one are whole"
        yield Problem("fractional-gpus", ("resources", "gpus"), message)
    elif resources.workers > 1 and gpus != int(gpus):
        message = f"{resources.workers} workers with {gpus:g} GPUs each cannot be given; each has whole ones"
        yield Problem(
            "fractional-gpus", ("resources", "gpus"), message, reads=(("resources", "gpus"), ("resources", "workers"))
        )


def slurm_time_limit(checked: Checked) -> Iterator[Problem]:
    """A time limit is one that Slurm reads as it was meant: a bare number would be minutes."""
    slurm = checked.spec.resources.slurm
    if slurm is not None and slurm.time_limit is not None and not SLURM_TIME.fullmatch(slurm.time_limit):
        message = f"{show(slurm.time_limit)} is no time limit; expected HH:MM:SS or D-HH:MM:SS"
        yield Problem("slurm-time-limit", ("resources", "slurm", "time_limit"), message)


def slurm_name(checked: Checked) -> Iterator[Problem]:
    """Partition and account are names, for they are written into a script."""
    slurm = checked.spec.resources.slurm
    for key in ("partition", "account") if slurm is not None else ():
        name = getattr(slurm, key)
        if name is not None and not SLURM_NAME.fullmatch(name):
            message = f'{show(name)} is no name of a Slurm {key}; expected letters, digits, ".", "_" and "-"'
            yield Problem("slurm-name", ("resources", "slurm", key), message)


def slurm_node_too_small(checked: Checked) -> Iterator[Problem]:
    """A trial fits on the nodes that Slurm is asked for, each of its workers on one of them."""
    resources = checked.spec.resources
    slurm, workers = resources.slurm, resources.workers
    for key, need, of in (("gpus", resources.gpus, "gpus_per_node"), ("cpus", resources.cpus, "cpus_per_node")):
        given = getattr(slurm, of) if slurm is not None else None
        if slurm is None or given is None or need == 0:
            continue
        path: Path = ("resources", "slurm", of)
        reads = (path, ("resources", key), ("resources", "workers"), ("resources", "slurm", "nodes"))
        if need > given:
            message = (
                f"a {'trial' if workers == 1 else 'worker'} needs {need:g} {key}, and a node of {given} cannot hold it"
            )
            yield Problem("slurm-node-too-small", path, message, reads=reads)
        elif int(given / need) * slurm.nodes < workers:
            message = f"{workers} workers need {need:g} {key} each, and {slurm.nodes} x {given} cannot hold them"
            yield Problem("slurm-node-too-small", path, message, reads=reads)


def design_without_features(checked: Checked) -> Iterator[Problem]:
    """A design of features has features; one_at_a_time is one of a grid too."""
    ablation = checked.spec.ablation
    varies_grid = bool(ablation.grid) and "one_at_a_time" in ablation.design
    if "design" in _at(checked.written, ("ablation",)) and not ablation.features and not varies_grid:
        message = "design says how features are combined, and there are none"
        yield Problem("no-effect", ("ablation", "design"), message, "name features, or remove it", True, "warning")


def product_of_one(checked: Checked) -> Iterator[Problem]:
    """A product has something to multiply."""
    ablation = checked.spec.ablation
    parts = [name for name in ("features", "grid", "zip") if getattr(ablation, name)]
    if ablation.combine == "product" and len(parts) < 2:
        message = f"a product takes two of features, grid and zip, and there is {one_of(parts)}"
        yield Problem("no-effect", ("ablation", "combine"), message, "remove it", True, "warning")


def crossed_factor_twice(checked: Checked) -> Iterator[Problem]:
    """In a product, a feature does not set what the grid or the zip varies: one of the two would be lost."""
    ablation = checked.spec.ablation
    for name, settings in ablation.features.items() if ablation.combine == "product" else ():
        for path in settings:
            for axes in ("grid", "zip"):
                if path in getattr(ablation, axes):
                    message = f'"{path}" is varied by {axes} too, and combine: product takes both together'
                    place = ("ablation", "features", name, path)
                    yield Problem("factor-twice", place, message, "take combine: union", at_key=True)


def zip_length(checked: Checked) -> Iterator[Problem]:
    """What is taken in step is equally long."""
    lengths = {path: len(values) for path, values in checked.spec.ablation.zip.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{path} has {length}" for path, length in lengths.items())
        message = f"the lists are taken in step and differ in length: {told}"
        yield Problem("zip-length", ("ablation", "zip"), message)


def factor_twice(checked: Checked) -> Iterator[Problem]:
    """A path is varied by grid or by zip, not by both."""
    ablation = checked.spec.ablation
    for path in ablation.zip:
        if path in ablation.grid:
            yield Problem("factor-twice", ("ablation", "zip", path), f'"{path}" is varied by grid too', at_key=True)


def feature_conflict(checked: Checked) -> Iterator[Problem]:
    """Features that are off together agree on what they set; `add_one` and `full_factorial` switch several off."""
    ablation = checked.spec.ablation
    together = next((name for name in ("add_one", "full_factorial") if name in ablation.design), None)
    set_by: dict[str, tuple[str, Any]] = {}
    for name, settings in ablation.features.items() if together else ():
        for path, value in settings.items():
            first, other = set_by.setdefault(path, (name, value))
            if other != value:
                message = f'"{first}" and "{name}" set it differently, and {together} switches both off'
                yield Problem("feature-conflict", ("ablation", "features", name, path), message)


def duplicate_seed(checked: Checked) -> Iterator[Problem]:
    """A seed is listed once."""
    seeds = checked.spec.ablation.seeds
    seen: set[int] = set()
    for index, seed in enumerate(seeds if isinstance(seeds, tuple) else ()):
        if seed in seen:
            yield Problem("duplicate-seed", ("ablation", "seeds", index), f"the seed {seed} is listed twice")
        seen.add(seed)


def bad_expression(checked: Checked) -> Iterator[Problem]:
    """A rule of `require` can be read and computed for the spec as written."""
    for index, text in enumerate(checked.spec.ablation.require):
        path: Path = ("ablation", "require", index)
        try:
            parse_expression(text).evaluate(checked.tree)
        except ExpressionError as error:
            yield Problem("bad-expression", path, f"{show(text)} {error}", within=error.within)


def requirement(checked: Checked) -> Iterator[Problem]:
    """The spec as written meets its own `require`; a variant that does not is left out."""
    for index, text in enumerate(checked.spec.ablation.require):
        try:
            met = parse_expression(text).evaluate(checked.tree)
        except ExpressionError:
            continue
        if not met:
            path: Path = ("ablation", "require", index)
            message = f"the spec as written does not meet {show(text)}, and every variant is compared with it"
            yield Problem("requirement-unmet", path, message)


EXPERIMENT_RULES: tuple[Rule, ...] = (
    splits_sum,
    split_name,
    regularization_unsupported,
    set_twice,
    *(partial(constraint, field) for field in component_fields()),
    unknown_metric,
    held_out_used,
    wrong_mode,
    duplicate_metric,
    metric_without_mode,
    schedule_open_phase,
    schedule_too_long,
    no_effect,
    fractional_gpus,
    slurm_time_limit,
    slurm_name,
    slurm_node_too_small,
)
"""What every variant has to keep."""

ABLATION_RULES: tuple[Rule, ...] = (
    design_without_features,
    product_of_one,
    zip_length,
    factor_twice,
    crossed_factor_twice,
    feature_conflict,
    duplicate_seed,
    bad_expression,
    requirement,
)
"""What the ablation itself has to keep; asked once, of the spec as written."""
