"""Leaves out of a configuration the keys that a spec does not use: those who never heard of them read it as it was."""

from typing import Any

from craftc.compiler.language.removals import plain_removals
from craftc.compiler.planning.identity.plain_lengths import plain_lengths
from craftc.schemas.catalogue import ADAPTER, GRADIENT_NORMS, OUTPUT, REMOVE
from craftc.schemas.terms import plain_objective

DROP = "drop"
PLAIN_TRAINING: dict[str, tuple[Any, ...]] = {
    "accumulate": (1,),
    "decay": ("all",),
    "groups": ((), []),
    "layer_decay": (1.0,),
}
"""Keys of `training`, and what stands there where they are not used."""


def plain_sections(config: dict[str, Any]) -> None:
    """Take away, in place: a kind beside terms or terms beside a kind, values of a training that has none, lengths
    that nobody gives, what is done with a model's output, taken out of it and added to it where nothing is, and what
    batches a step and groups of parameters there are where there is one. Of groups of columns that are left out, their
    names do not count; of norms of gradients, that they are recorded does, and their bounds do not."""
    config["objective"] = plain_objective(config["objective"])
    training = config["training"]
    if not training["values"]:
        del training["values"]
    plain_lengths(config)
    for key, plain in PLAIN_TRAINING.items():
        if training.get(key) in plain:
            del training[key]
    if config["model"].get(OUTPUT) == "none":
        del config["model"][OUTPUT]
    if config["model"].get(ADAPTER) == {"kind": "none"}:
        del config["model"][ADAPTER]
    if removed := plain_removals(config["model"].pop(REMOVE, ())):
        config["model"][REMOVE] = removed
    config["data"] = _plain_drop(config["data"])
    if config["evaluation"].pop(GRADIENT_NORMS, None) not in (None, "none"):
        # What the report warns of is read from the trial; that norms are recorded, from its configuration.
        config["evaluation"][GRADIENT_NORMS] = True


def _plain_drop(data: dict[str, Any]) -> dict[str, Any]:
    """Which columns are left out, as one list in order; without the key where none are."""
    written = data.get(DROP)
    groups = written.values() if isinstance(written, dict) else [written or []]
    lists = [[group] if isinstance(group, str) else group for group in groups if group not in (None, "none")]
    names = sorted({name for group in lists for name in group})
    return {key: value for key, value in data.items() if key != DROP} | ({DROP: names} if names else {})
