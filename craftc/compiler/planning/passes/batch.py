"""New trials whose steps have the same shapes and do the same are told to be of one group."""

from collections import Counter
from typing import Any

from craftc.compiler.language.component_fields import all_component_places
from craftc.compiler.planning.identity.fingerprint import canonical_json
from craftc.compiler.planning.identity.plain_sections import PLAIN_TRAINING
from craftc.compiler.reading.tree import copy_tree
from craftc.schemas.catalogue import ADAPTER, GRADIENT_NORMS, Catalogue
from craftc.schemas.plan import JobResources, Plan, Trial

CARRIED = "per trial"
"""Stands for a value that a batch holds one of for each trial."""


def batch(plan: Plan, catalogue: Catalogue, resources: JobResources) -> Plan:
    """Number the groups of new trials that could be trained as one batch; a trial alone is in none.

    A training that several trials share counts once. One by several workers, or of micro-batches, is not batched.
    """
    if resources.workers > 1 or any(trial.micro_batch is not None for trial in plan.trials):
        return plan
    steps: dict[tuple[str, int | None], str] = {}
    of_training: dict[str, str] = {}
    for trial in plan.trials:
        if (
            trial.status == "new"
            and trial.is_trained
            and not trial.is_program
            and is_batchable(trial.config, catalogue)
        ):
            # All seeds of a variant have one configuration in each fold.
            place = trial.variant, trial.fold
            if place not in steps:
                steps[place] = canonical_json(step(trial.config, catalogue))
            features = trial.stages.features if trial.stages else None
            of_training[trial.id] = f"{steps[place]}{features or ''}"
    sizes = Counter(of_training.values())
    numbers: dict[str, int] = {}
    trials: list[Trial] = []
    for trial in plan.trials:
        key = of_training.get(trial.shares or trial.id)
        if key is not None and sizes[key] > 1:
            trial = trial.model_copy(update={"group": numbers.setdefault(key, len(numbers))})
        trials.append(trial)
    return plan.model_copy(update={"trials": tuple(trials)})


def is_batchable(config: dict[str, Any], catalogue: Catalogue) -> bool:
    """Whether trainings of such steps may be one batch: their keys leave it open how steps are computed, since batches
    are in full precision and made where measured times say so, and they are trained on the same data."""
    training, model = config["training"], config["model"]
    lowered = training.get("precision") in ("bf16", "fp16")
    is_open = not lowered and training.get("compile") is not True and not training.get("deterministic")
    # A batch measures what it does after every epoch as one, and passes are measured one by one.
    is_open = is_open and not any(each["every_epoch"] for each in config["evaluation"].get("passes", {}).values())
    # Adapters are modules of a library that hold their layers by name, which stacked weights have not been tried with.
    is_open = is_open and ADAPTER not in model
    # The features of a backbone that is drawn by the seed are other data.
    parts = catalogue.frozen_parts(model["kind"])
    return is_open and (parts is None or model[parts.weights] != "random")


def step(config: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """What trials of one batch have in common: data, shapes and the operations of a step.

    The learning rate and the values of each step, when a training ends, and what is measured are settled outside of it,
    for each trial on its own. Of a component, all arguments count but those that it marks as per trial.
    """
    common: dict[str, Any] = copy_tree({name: config[name] for name in ("data", "model", "objective")})
    common["objective"].pop("metrics")
    common["training"] = {"optimizer": dict(config["training"]["optimizer"])}
    for place in list(all_component_places(common, catalogue)):
        entry = catalogue.find(place.group, str(place.value.get("kind")))
        for parameter in entry.parameters if entry else ():
            if parameter.per_trial and parameter.name in place.value:
                place.value[parameter.name] = CARRIED
    for term in common["objective"].get("terms", {}).values():
        # One that weighs nothing is not trained: that is another operation.
        term["weight"] = CARRIED if term["weight"] > 0 else 0
    for key in ("batch_size", *PLAIN_TRAINING):
        if key in config["training"]:
            common["training"][key] = config["training"][key]
    # Each trial's own numbers ride in the batch; which there are decides what a step computes.
    common["values"] = sorted(config["training"].get("values", {}))
    common["precision"] = config["training"].get("precision")
    # A clipping norm may be infinite; an average that some have and others have not is another operation.
    regularization = config["regularization"]
    common["has_ema"] = any(regularization.get(key, "none") != "none" for key in ("ema_decay", "average"))
    common["has_sam"] = regularization.get("sam", "none") != "none"
    # Only there, so that what was measured of groups without it is still known.
    common |= {GRADIENT_NORMS: True} if GRADIENT_NORMS in config["evaluation"] else {}
    return common
