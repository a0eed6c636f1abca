"""Makes the config and the summary of a W&B run from a trial and its result. Needs no wandb."""

from collections.abc import Iterator, Mapping
from typing import Any

from craftc.runtime.observers.factors import Factors
from craftc.runtime.observers.wandb_sweep import parameter_name
from craftc.schemas.plan import Headline, Trial
from craftc.schemas.result import Result


def config_of(trial: Trial, factors: Factors | None = None) -> dict[str, Any]:
    """The trial's config by dotted path, with its variant, seed and id, and its factors by their sweep's names."""
    placed = {} if factors is None else {parameter_name(name): at for name, at in factors.values_of(trial).items()}
    return {**flatten(trial.config), **placed, "variant": trial.variant, "seed": trial.seed, "trial": trial.id}


def summary_of(result: Result, headline: Headline) -> dict[str, Any]:
    """What a trial came to, by name."""
    best = {f"best.{name}": value for name, value in result.best.items()}
    last = {f"last.{name}": value for name, value in result.last.items()}
    shown = {headline.name: result.best[headline.name]} if headline.name in result.best else {}
    return {
        "best_epoch": result.best_epoch,
        "epochs_trained": result.epochs_trained,
        **({} if result.num_parameters is None else {"num_parameters": result.num_parameters}),
        **best,
        **last,
        **shown,
    }


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted path: `training.schedule.0.kind`. Lists of plain values, and what is empty, are leaves."""
    if isinstance(value, Mapping) and value:
        items: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        items = enumerate(value)
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return flat
