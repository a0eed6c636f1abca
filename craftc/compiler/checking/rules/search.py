"""Rules of a search: one function and one code each. Every function yields what breaks its rule."""

import json
import sys
from collections.abc import Iterator
from math import isfinite, prod

from craftc.compiler.checking.rules.effects import pruner_never_prunes, startup_beyond_search
from craftc.compiler.checking.rules.rule import Checked, CheckedExperiment, ExperimentRule, Rule
from craftc.compiler.language.handed_on import is_handed
from craftc.compiler.language.pass_names import passes_of, plain_measure, stages_of
from craftc.compiler.language.spec_places import as_component
from craftc.compiler.reading.problem import Problem, show
from craftc.compiler.reading.tree import touch
from craftc.schemas.catalogue import RANGE_FORMS
from craftc.schemas.diagnostic import Path, parse_path
from craftc.schemas.spec import DEFAULTS, REGULARIZED, ParameterRange, Spec
from craftc.schemas.terms import OBJECTIVE, TERMS, names_of_term

SPACE: Path = ("search", "space")
MAX_STEPS = 2**53
"""Beyond them, two neighbours are the same number."""
WIDEST = {"uniform": sys.float_info.max, "int": 2**53}
"""What the ends of a range may be apart."""
SMOOTHING: Path = ("regularization", "label_smoothing")


def ranges(checked: CheckedExperiment) -> Iterator[tuple[str, ParameterRange]]:
    """The ranges of the search, if there is one."""
    if checked.spec.search is not None:
        yield from checked.spec.search.space.items()


def search_without_space(checked: CheckedExperiment) -> Iterator[Problem]:
    """A search has something to search."""
    if checked.spec.search is not None and not checked.spec.search.space:
        hint = "give ranges in space, or name a file of them in use"
        message = "there is nothing to search: no range is given"
        used = checked.spec.search.use
        if used == DEFAULTS or (isinstance(used, tuple) and DEFAULTS in used):
            hint = "give ranges in space, or declare search_ranges on a component of your own"
            message = "there is nothing to search: no component of the spec declares a range that is left to search"
        yield Problem("search-without-space", ("search",), message, hint, True, reads=(("search", "use"),))


def range_form(checked: CheckedExperiment) -> Iterator[Problem]:
    """A range has one form."""
    for path, given in ranges(checked):
        if len(given.forms) != 1:
            has = " and ".join(given.forms) or "none of them"
            message = f"a range is one of {', '.join(RANGE_FORMS)}; this has {has}"
            yield Problem("range-form", (*SPACE, path), message, at_key=True)


def range_order(checked: CheckedExperiment) -> Iterator[Problem]:
    """The lowest value of a range is below its highest."""
    for path, given in ranges(checked):
        for form, values in given.forms.items():
            if form != "choice" and values[1] - values[0] > WIDEST[form.removeprefix("log_")]:
                message = f"from {values[0]:g} to {values[1]:g} is too far for a sampler to compute with"
                yield Problem("range-order", (*SPACE, path, form), message, "give a narrower range", True)
            elif form != "choice" and values[0] >= values[1]:
                message = f"the lowest value, {values[0]:g}, is not below the highest, {values[1]:g}"
                yield Problem("range-order", (*SPACE, path, form), message, "write [lowest, highest]", True)


def range_log(checked: CheckedExperiment) -> Iterator[Problem]:
    """A logarithm has values above 0."""
    for path, given in ranges(checked):
        for form, values in given.forms.items():
            if form.startswith("log_") and values[0] <= 0:
                message = f"{form} needs values above 0, and its lowest is {values[0]:g}"
                hint = f"raise it, or use {form.removeprefix('log_')}"
                yield Problem("range-log", (*SPACE, path, form, 0), message, hint)


def range_step(checked: CheckedExperiment) -> Iterator[Problem]:
    """A step leads from the lowest value to the highest."""
    for path, given in ranges(checked):
        for form, values in given.forms.items():
            if given.step is None:
                continue
            place = (*SPACE, path, "step")
            if form not in ("uniform", "int"):
                message = f"{form} takes no step; uniform and int do"
                yield Problem("range-step", place, message, "remove it", at_key=True)
            elif form == "int" and given.step != int(given.step):
                yield Problem("range-step", place, f"a step between whole numbers is whole, not {given.step:g}")
            elif given.step * MAX_STEPS < values[1] - values[0] <= WIDEST[form]:
                message = (
                    f"there are more than {MAX_STEPS:,} steps of {given.step:g} from {values[0]:g} to {values[1]:g}"
                )
                yield Problem("range-step", place, message, "take a longer step, or none")
            elif 0 < values[1] - values[0] <= WIDEST[form] and not _divides(given.step, values[1] - values[0]):
                message = f"steps of {given.step:g} from {values[0]:g} do not reach {values[1]:g}"
                yield Problem("range-step", place, message)


def _divides(step: float, width: float) -> bool:
    return abs(width / step - round(width / step)) < 1e-9 * max(1.0, width / step)


def range_choices(checked: CheckedExperiment) -> Iterator[Problem]:
    """A choice is listed once."""
    for path, given in ranges(checked):
        seen: set[tuple[type, str]] = set()
        for index, value in enumerate(given.choice or ()):
            value = as_component(parse_path(path), value)
            identity = type(value), json.dumps(value, sort_keys=True)
            if identity in seen:
                yield Problem("duplicate-choice", (*SPACE, path, "choice", index), f"{show(value)} is listed twice")
            seen.add(identity)


def searched_factor_twice(checked: CheckedExperiment) -> Iterator[Problem]:
    """A path is searched, or varied by the ablation, not both; and it is searched once."""
    ablation = checked.spec.ablation
    varied = {path: "grid" for path in ablation.grid} | {path: "zip" for path in ablation.zip}
    varied |= {path: f'the feature "{name}"' for name, settings in ablation.features.items() for path in settings}
    searched: list[str] = []
    for path, _ in ranges(checked):
        places = {**varied, **dict.fromkeys(searched, "this search")}
        for other, by in places.items():
            if touch(parse_path(path), parse_path(other)) or (by == "this search" and hands_on(path, other)):
                what = "it" if other == path else f'"{other}"'
                message = f'"{path}" is searched, and {what} is varied by {by} too'
                hint = "keep one of the two" if by == "this search" else "take it out of the search or of the ablation"
                yield Problem("factor-twice", (*SPACE, path), message, hint, at_key=True)
                break
        searched.append(path)


def hands_on(path: str, other: str) -> bool:
    """Whether one is a key of `regularization`, and the other the argument to which that is handed."""
    return any(
        one == f"regularization.{name}" and place[-1] == name and is_handed(name, place[:-1])
        for name in REGULARIZED
        for one, place in ((path, parse_path(other)), (other, parse_path(path)))
    )


def moving_target(checked: Checked) -> Iterator[Problem]:
    """What a search makes better is the same metric at every point."""
    search = checked.spec.search
    if search is None:
        return
    for path, _ in ranges(checked):
        target = parse_path(path)
        if moves_target(checked, target):
            message = f'"{path}" changes what "{search.optimize.metric}" is, so its values cannot be compared'
            redefines = _redefines(_optimized(checked), target, checked.spec)
            hint = "optimize a metric that it leaves alone" if redefines else "vary it in ablation.grid"
            yield Problem("moving-target", (*SPACE, path), message, hint, at_key=True)


def moves_target(checked: Checked, target: Path) -> bool:
    """Whether another value at a place makes what is optimized another metric."""
    is_metrics = touch(("objective", "metrics"), target)
    is_data = target[:2] in (("data", "splits"), ("data", "source"))
    return is_data or is_metrics or _redefines(_optimized(checked), target, checked.spec)


def _optimized(checked: Checked) -> str:
    """The metric that is optimized, by its name without split, pass and stage."""
    search = checked.spec.search
    assert search is not None
    return plain_measure(search.optimize.metric, (*passes_of(checked.spec), *stages_of(checked.spec)))


def _redefines(metric: str, target: Path, spec: Spec) -> bool:
    """Whether a path is part of what a loss is defined by. That of a term has no part in the term's weight."""
    if metric in ("loss", "objective"):
        return touch(OBJECTIVE, target) or touch(SMOOTHING, target)
    terms = [name for name in spec.objective.terms if metric in names_of_term(name)]
    places: list[Path] = [(*TERMS, name) for name in terms]
    is_weight = any(target == (*place, "weight") for place in places)
    return any(touch(place, target) or touch(SMOOTHING, target) for place in places) and not is_weight


def too_few_points(checked: CheckedExperiment) -> Iterator[Problem]:
    """A space has as many points as are asked for; those that are proposed twice are trained once."""
    search = checked.spec.search
    if search is None or not search.space:
        return
    sizes = [_num_values(given) for given in search.space.values()]
    if any(size is None for size in sizes):
        return
    points = prod(size for size in sizes if size is not None)
    if points < search.trials:
        has = f"the space has {points} point{'' if points == 1 else 's'}"
        message = f"{has}, and {search.trials} are asked for: some are proposed again, and nothing is trained for them"
        hint = f"write {points} or fewer; ablation.grid trains each of them once"
        yield Problem("too-few-points", ("search", "trials"), message, hint, severity="warning", reads=(SPACE,))


def _num_values(given: ParameterRange) -> int | None:
    """How many values a range holds; None of one without end, and of one that another rule finds wrong."""
    if len(given.forms) != 1:
        return None
    ((form, values),) = given.forms.items()
    if form == "choice":
        return len({(type(value), json.dumps(value, sort_keys=True)) for value in values})
    step = given.step or (1 if form in ("int", "log_int") else None)
    if step is None or values[0] >= values[1]:
        return None
    steps: float = (values[1] - values[0]) / step
    return round(steps) + 1 if isfinite(steps) else None


RANGE_RULES: tuple[ExperimentRule, ...] = (range_form, range_order, range_log, range_step, range_choices)
"""What every range has to keep, whatever field it is for."""

SEARCH_RULES: tuple[ExperimentRule, ...] = (
    search_without_space,
    *RANGE_RULES,
    searched_factor_twice,
    startup_beyond_search,
    too_few_points,
)
"""What the search has to keep; asked once, of the spec as written."""
TRAINED_SEARCH_RULES: tuple[Rule, ...] = (moving_target, pruner_never_prunes)
"""What the search of what craftc trains has to keep as well."""
