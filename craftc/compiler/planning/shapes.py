"""Finds the trials of a plan that differ in code or in the shape of a tensor: one of each is tried before training."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from craftc.compiler.planning.identity.fingerprint import canonical_json
from craftc.schemas.catalogue import is_own
from craftc.schemas.plan import Plan, Trial

MAX_SHAPES = 200
"""Shapes that a run tries before it trains; a plan of more differs in sizes, not in what is written."""
_FREE_IN_TRAINING = ("epochs", "max_steps", "max_tokens", "early_stopping")
_FREE_IN_SPLITS = ("seed", "fold")


def shape_key(trial: Trial) -> str:
    """Equal for trials that run the same code on tensors of the same shapes.

    Seeds, lengths, early stopping, selection and when a record is made do not count, and a number with a fraction
    counts by its sign and by whether it exceeds 1. Arguments of a model of the user's own count as they are, since a
    width may be 1.5, but for rates of dropout. Of a program every argument counts.
    """
    config = trial.config
    if trial.is_program:
        return canonical_json(config["program"])
    data, training, model = config["data"], config["training"], config["model"]
    splits = {name: value for name, value in data["splits"].items() if name not in _FREE_IN_SPLITS}
    kept = {name: value for name, value in training.items() if name not in _FREE_IN_TRAINING}
    decisive = {
        "data": _coarse({**data, "splits": splits}),
        "model": _with_coarse_rates(model) if _has_own(model) else _coarse(model),
        "objective": _coarse(config["objective"]),
        "regularization": _coarse(config["regularization"]),
        "training": _coarse(kept)
        | {name: _coarse(training.get(name, {}), whole=True) for name in ("schedule", "values")},
    }
    evaluation = {key: value for key, value in config["evaluation"].items() if key not in ("select", "every") and value}
    return canonical_json(decisive | ({"evaluation": _coarse(evaluation)} if evaluation else {}))


def trials_to_try(plan: Plan, begun: Collection[str] = ()) -> tuple[Trial, ...]:
    """One trial of each shape that no trial has been trained with, of those that are to be trained; `begun` are those
    with epochs in the store. A program is not tried: how long it takes to its first report is not known."""
    new = [trial for trial in plan.trials if trial.status == "new" and trial.read_off is None and not trial.is_program]
    if not new:
        return ()
    known = {shape_key(trial) for trial in plan.trials if trial.status == "reused" or trial.id in begun}
    return tuple(trial for trial in shapes_of(new) if shape_key(trial) not in known)[:MAX_SHAPES]


def shapes_of(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The first trial of each shape, in their order."""
    found: dict[str, Trial] = {}
    for trial in trials:
        found.setdefault(shape_key(trial), trial)
    return tuple(found.values())


def _coarse(value: Any, *, whole: bool = False) -> Any:
    """A value with each number that has a fraction, or each number at all, as the range that it lies in."""
    if isinstance(value, dict):
        return {key: _coarse(item, whole=whole) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_coarse(item, whole=whole) for item in value]
    if isinstance(value, float) or (whole and isinstance(value, int) and not isinstance(value, bool)):
        return f"{'<' if value < 0 else '=' if value == 0 else '>'} 0, {'>=' if abs(value) >= 1 else '<'} 1"
    return value


def _has_own(value: Any) -> bool:
    if isinstance(value, dict):
        return is_own(str(value.get("kind", ""))) or any(map(_has_own, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_own, value))


def _with_coarse_rates(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _coarse(item) if "drop" in name else _with_coarse_rates(item) for name, item in value.items()}
    return [_with_coarse_rates(item) for item in value] if isinstance(value, list | tuple) else value
