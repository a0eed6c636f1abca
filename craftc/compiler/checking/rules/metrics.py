"""Rules of the metrics that a spec names: one function and one code each, which yields what breaks its rule."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.language.pass_names import pass_of, passes_of, plain_measure, stages_of
from craftc.compiler.language.recorded_metrics import (
    headline_name,
    headline_split,
    metric_modes,
    recorded,
    recorded_objectives,
    selection,
)
from craftc.compiler.reading.nearest import nearest, surely_meant
from craftc.compiler.reading.problem import Problem, one_of, show
from craftc.compiler.reading.tree_edit import respell
from craftc.schemas.catalogue import is_own, short_name
from craftc.schemas.diagnostic import Path, format_path
from craftc.schemas.spec import Spec
from craftc.schemas.split_roles import Role
from craftc.schemas.splits import Splits
from craftc.schemas.terms import TERMS, names_of_term

SPLITS: Path = ("data", "splits")
REPORT: Path = ("report",)
RECORDED_ANYWAY = ("loss", "objective", "lr")
"""What is recorded beside the metrics, and so names none of them."""


def of_training(spec: Spec) -> list[str]:
    """Of what is recorded, what says how a training went, and not what a model is worth."""
    return [*recorded_objectives(spec), *(f"train/{name}" for name in ("lr", *spec.training.values))]


class _Named(NamedTuple):
    """A metric that the spec names by `<split>/<metric>`. `mode` is None where it steers nothing."""

    place: Path
    metric: str
    mode: str | None

    @property
    def steers(self) -> bool:
        """Whether something is chosen by it."""
        return self.mode is not None


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
        yield _Named(REPORT, spec.report.metric, None)


def unknown_metric(checked: Checked) -> Iterator[Problem]:
    """A metric that is named is one that is recorded."""
    every_epoch = dict.fromkeys(recorded(checked.spec, checked.catalogue, held_out=True))
    # What a step minimises belongs to the epoch that trained, and not to the weights that a conclusion is drawn of.
    trained = of_training(checked.spec)
    of_weights = {name: None for name in every_epoch if name not in trained}
    steering = recorded(checked.spec, checked.catalogue, held_out=False)
    # What a split that is calibrated on would come to is another mistake.
    named_metrics = [n for n in _named_metrics(checked.spec) if _role(n, checked.spec) != "calibrate"]
    unknown = [named for named in named_metrics if named.metric not in (every_epoch if named.steers else of_weights)]
    by_split = {True: _by_split(steering), False: _by_split(of_weights)} if unknown else {}
    for named in unknown:
        foreign = _foreign_metric(named.metric, by_split[named.steers])
        usual = usual_splits(checked.spec.data.splits, steers=named.steers)
        near = foreign or _nearest_metric(named.metric, by_split[named.steers], usual)
        recorded_names = steering if named.steers else of_weights
        hint = f'did you mean "{near}"?' if near else f"recorded are {one_of(recorded_names)}"
        message = f"nothing records {show(named.metric)}"
        if named.metric in trained:
            verb = "chosen by" if named.steers else "concluded from"
            message = f"{show(named.metric)} is recorded, and nothing is {verb} it"
            hint = f"name {one_of(recorded_names)}"
        reads = (("objective", "metrics"), TERMS, ("data", "splits"))
        path = (*named.place, "metric")
        meant = foreign or _surely_meant_metric(named.metric, by_split[named.steers])
        fix = respell(path, meant) if meant is not None else None
        yield Problem("unknown-metric", path, message, hint, reads=reads, fix=fix)


def _by_split(names: Iterable[str]) -> dict[str, list[str]]:
    """What is recorded of each split."""
    found: dict[str, list[str]] = {}
    for split, _, measure in (name.partition("/") for name in names):
        found.setdefault(split, []).append(measure)
    return found


_FOREIGN = r"(?P<split>val|valid|validation|dev|eval|train|training|test)(?:[_./-]| )(?:epoch[_/])?(?P<measure>\w+)"
_SPLITS = {"val": "valid", "validation": "valid", "dev": "valid", "eval": "valid", "training": "train"}
_MEASURES = {"acc": "accuracy", "f1": "f1_macro", "auc": "auroc", "top1": "accuracy", "ppl": "perplexity"}


def _foreign_metric(metric: str, by_split: Mapping[str, list[str]]) -> str | None:
    """The recorded metric that other tools call so: valid/loss for val_loss, valid/accuracy for val_acc."""
    found = re.fullmatch(_FOREIGN, metric)
    if found is None:
        return None
    split = found["split"] if found["split"] in by_split else _SPLITS.get(found["split"], found["split"])
    measure = found["measure"]
    measures = by_split.get(split, ())
    meant = measure if measure in measures else _MEASURES.get(measure, "")
    return f"{split}/{meant}" if meant in measures else None


def usual_splits(splits: Splits, *, steers: bool) -> list[str]:
    """The splits that something is chosen by, or concluded from; the likelier first."""
    selecting = [name for name, role in splits.roles.items() if role == "select"]
    return selecting if steers else list(dict.fromkeys((headline_split(splits), *selecting)))


def _nearest_metric(metric: str, by_split: Mapping[str, list[str]], usual: Sequence[str]) -> str | None:
    """The recorded metric that was likely meant: the nearest split and the nearest metric, each by itself.

    Without a split, that of the split by which something of its kind is chosen, or concluded.
    """
    split, slash, measure = metric.partition("/")
    if not slash:
        splits = sorted(by_split, key=lambda of: usual.index(of) if of in usual else len(usual))
        near_by_split = ((of, nearest(split, by_split[of])) for of in splits)
        return next((f"{of}/{near}" for of, near in near_by_split if near is not None), None)
    near_split = nearest(split, by_split)
    near_measure = nearest(measure, by_split[near_split]) if near_split is not None else None
    return f"{near_split}/{near_measure}" if near_measure else None


def _surely_meant_metric(metric: str, by_split: Mapping[str, list[str]]) -> str | None:
    """The recorded metric of which this can only be a slip, in the split, the metric or both."""
    split, slash, measure = metric.partition("/")
    of = split if split in by_split else surely_meant(split, by_split)
    if not slash or of is None:
        return None
    meant = measure if measure in by_split[of] else surely_meant(measure, by_split[of])
    return f"{of}/{meant}" if meant is not None else None


def _role(named: _Named, spec: Spec) -> Role | None:
    """That of the split of a metric; None where there is no such split."""
    return spec.data.splits.roles.get(named.metric.partition("/")[0])


def held_out_used(checked: Checked) -> Iterator[Problem]:
    """Nothing is chosen by a split that is final, or that is calibrated on."""
    spec = checked.spec
    held_out = [(n, role) for n in _named_metrics(spec) if (role := _role(n, spec)) in ("final", "calibrate")]
    names = recorded(spec, checked.catalogue, held_out=True) if held_out else []
    for named, role in held_out:
        split = named.metric.partition("/")[0]
        selecting = next(iter(usual_splits(spec.data.splits, steers=True)), "valid")
        path, reads = (*named.place, "metric"), (SPLITS,)
        hint = f"choose by another split, such as {selecting}"
        if role == "calibrate":
            message = f'"{named.metric}" is not measured: split {split} is for what is fitted to a trained model'
            hint = hint if named.steers else f"conclude from {headline_split(spec.data.splits)}"
            yield Problem("held-out-used", path, message, hint, reads=(path, *reads))
        elif named.steers and named.metric in names:
            message = f'"{named.metric}" is measured once, at the end; nothing can be chosen by it'
            yield Problem("held-out-used", path, message, hint)
    yield from _of_after_stages(checked)


def _of_after_stages(checked: Checked) -> Iterator[Problem]:
    """Nothing is chosen by what a stage after training comes to; a search may, of points that go to their end."""
    spec, stages = checked.spec, stages_of(checked.spec)
    for named in _named_metrics(spec) if stages else ():
        stage = pass_of(named.metric, stages)
        ends = spec.search is not None and named.place == ("search", "optimize") and spec.search.pruner.kind == "none"
        if stage is None or not named.steers or ends or _role(named, spec) != "select":
            continue
        split, _, measure = named.metric.partition("/")
        message = f'"{named.metric}" is measured when training is over; nothing that happens before can be chosen by it'
        hint = f"choose by {split}/{measure.removeprefix(f'{stage}.')}"
        reads = ((*named.place, "metric"), ("evaluation", "after"))
        yield Problem("held-out-used", (*named.place, "metric"), message, hint, reads=reads)


def headline_not_final(checked: Checked) -> Iterator[Problem]:
    """What is concluded is measured on what chose nothing, where there are such samples."""
    spec = checked.spec
    metric = spec.report.metric or ""
    split, _, measure = metric.partition("/")
    final = headline_split(spec.data.splits)
    roles = spec.data.splits.roles
    if roles.get(split) not in ("fit", "select") or roles[final] != "final" or metric in of_training(spec):
        return
    if metric in recorded(spec, checked.catalogue, held_out=True):
        use = "is fitted on" if roles[split] == "fit" else "is for choosing by"
        message = f'"{metric}" would flatter what is concluded: split {split} {use}, and {final} is there for that'
        hint = f"write {final}/{measure}, or leave the split {final} out"
        path = ("report", "metric")
        yield Problem("headline-not-final", path, message, hint, reads=(path, SPLITS))


def wrong_mode(checked: Checked) -> Iterator[Problem]:
    """A given direction is the metric's own, and one metric has one direction."""
    directed = [named for named in _named_metrics(checked.spec) if named.mode in ("min", "max")]
    if checked.spec.report.mode != "infer":
        directed.append(_Named(REPORT, headline_name(checked.spec), checked.spec.report.mode))
    modes = metric_modes(checked.spec, checked.catalogue) if directed else {}
    for place, metric, mode in directed:
        better = modes.get(metric.partition("/")[2])
        if better is not None and mode != better:
            message = f'mode {mode} prefers a worse "{metric}": its better direction is {better}'
            hint = f"write {better}, or leave mode out"
            yield Problem("wrong-mode", (*place, "mode"), message, hint, reads=((*place, "metric"),))
    undirected = [named for named in directed if modes.get(named.metric.partition("/")[2]) is None]
    yield from modes_disagree((named.place, named.metric, str(named.mode)) for named in undirected)


def modes_disagree(named: Iterable[tuple[Path, str, str]]) -> Iterator[Problem]:
    """Of metrics without a direction of their own, each by its section, name and given direction: one that is given
    two."""
    first: dict[str, tuple[str, Path]] = {}
    for place, metric, mode in named:
        path = (*place, "mode")
        given, given_at = first.setdefault(metric, (mode, path))
        if mode != given:
            ways = {"min": "less", "max": "greater"}
            message = f'"{metric}" is better when {ways[mode]} here, and when {ways[given]} at {format_path(given_at)}'
            yield Problem("wrong-mode", path, message, f"write {given}", reads=(given_at, (*place, "metric")))


def duplicate_metric(checked: Checked) -> Iterator[Problem]:
    """Every metric is recorded under a name of its own."""
    seen: dict[str, str] = {}
    names = ((name, term) for term in checked.spec.objective.terms for name in names_of_term(term))
    terms = dict(names)
    for index, metric in enumerate(checked.spec.objective.metrics):
        name, path = short_name(metric.kind), ("objective", "metrics", index)
        if name in terms:
            message = f'"{metric.kind}" would be recorded as "{name}", as is the term {terms[name]}'
            reads = (path, (*TERMS, terms[name]))
            yield Problem("duplicate-metric", path, message, "give the term another name", reads=reads)
        elif is_own(metric.kind) and name in RECORDED_ANYWAY:
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
    if not undirected:
        return
    told = {short_name(metric.kind): metric.kind for metric in reversed(metrics)}
    hint = 'give its class mode = "min" or "max", or higher_is_better'
    prefixes = (*passes_of(checked.spec), *stages_of(checked.spec))
    is_given = checked.spec.report.mode != "infer"
    for place, metric, mode in _named_metrics(checked.spec):
        name = plain_measure(metric, prefixes)
        if name in undirected and mode in ("infer", None):
            if place == REPORT and is_given:
                continue
            yield _without_mode((*place, "metric"), told[name], f"write mode: min or max here, or {hint}", checked)
    is_default = checked.spec.report.metric is None and not is_given
    if is_default and metrics and short_name(metrics[0].kind) in undirected:
        other = f"{hint}, or write report.mode: min or max, or name another metric in report.metric"
        yield _without_mode(("objective", "metrics", 0), metrics[0].kind, other, checked)


def _without_mode(path: Path, kind: str, hint: str, checked: Checked) -> Problem:
    entry = checked.catalogue.find("metrics", kind)
    message = f'"{kind}" does not say which way is better, and it decides here'
    reads = (("objective", "metrics"),)
    return Problem("metric-without-mode", path, message, hint, reads=reads, related=entry.definition() if entry else ())


METRIC_RULES: tuple[Rule, ...] = (
    unknown_metric,
    held_out_used,
    headline_not_final,
    wrong_mode,
    duplicate_metric,
    metric_without_mode,
)
