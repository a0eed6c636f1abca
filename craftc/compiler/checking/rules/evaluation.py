"""Rules of passes and of stages after training: one function and one idea each, which yields what breaks its rule."""

import re
from collections.abc import Iterator

from craftc.compiler.checking.rules.rule import Checked, Rule
from craftc.compiler.language.pass_names import passes_of
from craftc.compiler.language.recorded_metrics import metric_modes
from craftc.compiler.reading.problem import Problem, did_you_mean, one_of, show
from craftc.schemas.catalogue import short_name
from craftc.schemas.diagnostic import Path

PASSES: Path = ("evaluation", "passes")
AFTER: Path = ("evaluation", "after")
GRADIENTS: Path = ("evaluation", "gradient_norms")
SPLITS: Path = ("data", "splits")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def pass_name(checked: Checked) -> Iterator[Problem]:
    """A pass's name can stand in a metric and between the dots of a path, and is none that something else has."""
    plain = metric_modes(checked.spec, checked.catalogue, passes=False)
    for name in passes_of(checked.spec):
        if not _NAME.fullmatch(name):
            message = f'{show(name)} cannot name a pass: it stands in metrics as "<split>/<pass>.<metric>" and in paths'
            hint = "use letters, digits, _ and -, and begin with a letter"
            yield Problem("wrong-name", (*PASSES, name), message, hint, at_key=True)
        elif any(metric.startswith(f"{name}.") for metric in plain):
            message = f'pass "{name}" would record its metrics under names that others have'
            yield Problem("duplicate-metric", (*PASSES, name), message, "give the pass another name", True)


def stage_name(checked: Checked) -> Iterator[Problem]:
    """An after-stage records its metrics under its kind, which no pass and no other stage has."""
    seen = dict.fromkeys(passes_of(checked.spec), "a pass")
    for index, stage in enumerate(checked.spec.evaluation.after):
        name = short_name(stage.kind)
        if name in seen:
            what = f'"<split>/{name}.<metric>", as {seen[name]} of that name does'
            hint = "give the pass another name" if seen[name] == "a pass" else "keep one of the two"
            yield Problem("duplicate-metric", (*AFTER, index), f'"{stage.kind}" records {what}', hint)
        seen.setdefault(name, "a stage")


def stage_split(checked: Checked) -> Iterator[Problem]:
    """An after-stage is fitted on a split that is for that."""
    splits = checked.spec.data.splits
    calibrating = [name for name, role in splits.roles.items() if role == "calibrate"]
    for index, stage in enumerate(checked.spec.evaluation.after):
        path = (*AFTER, index, "fit")
        role = splits.roles.get(stage.fit)
        if role == "calibrate":
            continue
        if role is None:
            message = f"there is no split {show(stage.fit)} to fit {stage.kind} on"
            hint = did_you_mean(stage.fit, calibrating or splits.names) or f"there are {one_of(splits.names)}"
            yield Problem("unknown-split", path, message, hint, reads=(path, SPLITS))
            continue
        use = {"fit": "is fitted on", "select": "chooses epochs", "final": "is for the conclusion"}[role]
        message = f"{stage.kind} cannot be fitted on split {stage.fit}, which {use}; what is fitted to a trained model "
        message += "has samples of its own"
        share = splits.fractions.get(stage.fit)
        said = f"calib: {{{'' if share is None else 'share: 0.1, '}for: calibrate}}"
        hint = f"fit it on {one_of(calibrating)}" if calibrating else f"add a split to data.splits: {said}"
        yield Problem("split-role", path, message, hint, reads=(path, SPLITS))


def pass_of_nothing(checked: Checked) -> Iterator[Problem]:
    """A pass measures something else than is measured anyway."""
    for name, each in passes_of(checked.spec).items():
        if each.views.kind == "none" and not each.extra:
            message = f"pass {name} measures what is measured anyway"
            hint = "give it views, or a number that the model takes"
            yield Problem("no-effect", (*PASSES, name), message, hint, True, severity="warning")


def views_of_features(checked: Checked) -> Iterator[Problem]:
    """Views are of samples, and the head of a frozen backbone is given features."""
    model = checked.spec.model.kind
    if checked.catalogue.frozen_parts(model) is None:
        return
    for name, each in passes_of(checked.spec).items():
        if each.views.kind != "none":
            path = (*PASSES, name, "views")
            message = f"views are of samples, and {model} is measured on the features that its backbone made of them"
            yield Problem("views-failed", path, message, "leave views out", reads=(path, ("model", "kind")))


def gradient_bounds(checked: Checked) -> Iterator[Problem]:
    """What is below the lower bound of a gradient's norm is not above the upper one too."""
    bounds = checked.spec.evaluation.gradient_norms
    if bounds is not None and bounds.below >= bounds.above:
        message = f"norms are told of below {bounds.below:g} and above {bounds.above:g}, which is every norm"
        hint = f"write gradient_norms: {{below: {bounds.above:g}, above: {bounds.below:g}}}"
        if bounds.below == bounds.above:
            hint = "give below a smaller number, or leave it out"
        yield Problem("values-disagree", GRADIENTS, message, hint)


EVALUATION_RULES: tuple[Rule, ...] = (
    pass_name,
    stage_name,
    stage_split,
    pass_of_nothing,
    views_of_features,
    gradient_bounds,
)
"""Of passes and after-stages."""
