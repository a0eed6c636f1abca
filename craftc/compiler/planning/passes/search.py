"""What a spec searches becomes part of its plan."""

from collections.abc import Iterable
from typing import Any

from craftc.compiler.language.headline import settled_mode
from craftc.compiler.planning.passes.pack import job_resources
from craftc.compiler.reading.tree import look_up
from craftc.compiler.variants.designs import is_searched
from craftc.schemas.catalogue import Catalogue
from craftc.schemas.diagnostic import parse_path
from craftc.schemas.plan import Plan, SearchPlan, Trial
from craftc.schemas.section import as_tree
from craftc.schemas.spec import Experiment, ParameterRange


def plan_search(plan: Plan, spec: Experiment, catalogue: Catalogue) -> Plan:
    """Add the search, if there is one. Variants that came out the same share a study."""
    search = spec.search
    if search is None:
        return plan
    metric, mode = search.optimize.metric, search.optimize.mode
    names = dict.fromkeys(trial.variant for trial in plan.trials)
    searched = SearchPlan(
        metric=metric,
        mode=settled_mode(metric, mode, spec, catalogue),
        space={path: _range(given) for path, given in search.space.items()},
        sampler=as_tree(search.sampler),
        pruner=as_tree(search.pruner),
        trials=search.trials,
        seed=spec.seed,
        variants=tuple(name for name in names if is_searched(spec, name)),
        resources=job_resources(spec),
    )
    return plan.model_copy(update={"search": searched})


def _range(given: ParameterRange) -> dict[str, Any]:
    plain = {name: value for name, value in as_tree(given).items() if value is not None}
    if given.int is not None and given.step is not None:
        plain["step"] = int(given.step)
    return plain


def factors(spec: Experiment, tree: dict[str, Any], trials: Iterable[Trial]) -> dict[str, Any]:
    """Every path that is varied or searched, with its value in the spec as written; None where it has none."""
    searched = spec.search.space if spec.search else {}
    paths = dict.fromkeys([*(path for trial in trials for path in trial.overrides), *searched])
    return {path: _value(tree, path) for path in paths}


def _value(tree: dict[str, Any], path: str) -> Any:
    try:
        return look_up(tree, parse_path(path))
    except KeyError:
        return None
