"""Makes the configuration of a W&B sweep from the factors of a run. Needs no wandb.

The sweep decides nothing: craftc trains what its plan or its study says, and the sweep's page is where W&B draws
parallel coordinates and importances. No agent of W&B's may take trials from it.
"""

import re
from math import prod
from typing import Any

from craftc.runtime.observers.factors import Choices, Factors, Interval
from craftc.schemas.plan import Plan
from craftc.schemas.split_roles import role_of, roles

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")
"""W&B's schema has sweep parameters match `^[A-Za-z_][A-Za-z0-9_.-]*$`."""


def sweep_config(factors: Factors, plan: Plan, run_name: str) -> dict[str, Any]:
    """What `wandb.sweep` takes. The method is `grid` where the trials are the whole product of the listed values,
    `random` where a factor is drawn from a range, and else `custom`: W&B itself can draw nothing from it."""
    metric, mode = goal(plan)
    return {
        "name": f"{plan.name}/{run_name}",
        "description": "Trained by craftc; its plan says what is trained, and no W&B agent is needed.",
        "method": _method(factors, plan),
        "metric": {"name": metric, "goal": "maximize" if mode == "max" else "minimize"},
        "parameters": {parameter_name(name): parameter(axis) for name, axis in factors.axes.items()},
    }


def goal(plan: Plan) -> tuple[str, str]:
    """The metric that a sweep's page ranks by, and its better direction: what is searched for, or else the headline.

    Never one of a final split, by which nothing is to be chosen: the same metric of a split that selects then, or what
    selects epochs.
    """
    if plan.search is not None:
        return plan.search.metric, plan.search.mode
    headline, config = plan.headline, plan.trials[0].config
    select = config["evaluation"]["select"]
    if plan.trials[0].is_program:
        # Which splits it has is known by its metrics alone.
        is_final = role_of(headline.split, None) == "final" and select != "none"
        return (select["metric"], select["mode"]) if is_final else (headline.name, headline.mode)
    given = roles(config["data"]["splits"])
    if given.get(headline.split) != "final":
        return headline.name, headline.mode
    if "valid" in given:
        return f"valid/{headline.metric}", headline.mode
    return ("train/loss", "min") if select == "none" else (select["metric"], select["mode"])


def parameter_name(factor: str) -> str:
    """The factor's name as W&B allows it, in a sweep and in the config of its runs alike."""
    name = NOT_IN_A_NAME.sub("_", factor)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def parameter(axis: Choices | Interval) -> dict[str, Any]:
    """One parameter in W&B's words."""
    if isinstance(axis, Choices):
        return {"values": list(axis.values)}
    whole = axis.distribution in ("int", "log_int")
    low, high = (int(axis.low), int(axis.high)) if whole else (axis.low, axis.high)
    step = axis.step if axis.step is not None or axis.distribution != "log_int" else 1
    name = {
        ("uniform", False): "uniform",
        ("uniform", True): "q_uniform",
        ("log_uniform", False): "log_uniform_values",
        ("log_uniform", True): "q_log_uniform_values",
        ("int", False): "int_uniform",
        ("int", True): "q_uniform",
        ("log_int", True): "q_log_uniform_values",
    }[axis.distribution, step is not None]
    quantum = {} if step is None else {"q": int(step) if whole else step}
    return {"distribution": name, "min": low, "max": high, **quantum}


def _method(factors: Factors, plan: Plan) -> str:
    sizes = [len(axis.values) for axis in factors.axes.values() if isinstance(axis, Choices)]
    if len(sizes) < len(factors.axes):
        return "random"
    points = {tuple(sorted(factors.values_of(trial).items())) for trial in plan.trials}
    return "grid" if len(points) == prod(sizes) else "custom"
