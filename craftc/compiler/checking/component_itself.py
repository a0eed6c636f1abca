"""Recognises a function that is the component itself, a loss say, where craftc calls what a spec names to make one."""

from collections.abc import Sequence

from craftc.compiler.language.value_type import is_component, options
from craftc.compiler.reading.problem import Problem, show
from craftc.schemas.catalogue import OFFERED, ComponentEntry, Parameter, is_own
from craftc.schemas.diagnostic import Path

_INPUT = frozenset(
    ["x", "t", "input", "inputs", "inp", "image", "images", "img", "sample", "samples", "batch", "data", "tensor"]
)
_LOGITS = frozenset(
    ["logits", "logit", "input", "inputs", "output", "outputs", "out", "pred", "preds", "prediction", "predictions"]
).union(["y_pred", "y_hat", "yhat", "scores"])
_TARGETS = frozenset(["target", "targets", "label", "labels", "y", "y_true", "truth", "ground_truth", "gt"])
_NUMBERS = frozenset(["numbers", "generator"])
_CALLED_WITH: dict[str, tuple[frozenset[str], ...]] = {
    "models": (_INPUT,),
    "normalizers": (_INPUT,),
    "augmentations": (_INPUT, _NUMBERS),
    "views": (_INPUT,),
    "objectives": (_LOGITS, _TARGETS),
    "metrics": (_LOGITS, _TARGETS),
    "schedules": tuple(frozenset([name]) for name in ("base_lr", "step", "num_steps", "steps_per_epoch")),
    "values": tuple(frozenset([name]) for name in ("step", "num_steps", "steps_per_epoch")),
}
"""Names of the arguments, in their order, with which craftc calls a component of the group, and others do."""
_OFFERED: dict[str, tuple[str, ...]] = {group: names for group, names in OFFERED.items() if group != "optimizers"}
"""An optimizer is given the parameters whatever their argument is called."""
_IS: dict[str, str] = {
    "models": "a model",
    "normalizers": "a normalizer",
    "augmentations": "an augmentation",
    "views": "views",
    "objectives": "a loss",
    "metrics": "a metric",
    "schedules": "a phase",
    "values": "a phase",
}
_MEND: dict[str, str] = {
    "models": "name a class derived from torch.nn.Module, whose forward(self, x) returns {name}(x)",
    "normalizers": "name a class with fit(self, x_train), and __call__(self, x), which returns {name}(x)",
    "augmentations": "name a function without arguments that returns it: def make_{name}(): return {name}",
    "views": "name a function without arguments that returns it: def make_{name}(): return {name}",
    "objectives": "name a class derived from torch.nn.Module, whose forward(self, logits, targets) returns "
    "{name}(logits, targets)",
    "metrics": "name a class with reset(self), update(self, logits, targets) and compute(self), which returns one "
    "number",
    "schedules": 'name a class with epochs = "none", and lr(self, base_lr, step, num_steps, steps_per_epoch)',
    "values": 'name a class with epochs = "none", and value(self, step, num_steps, steps_per_epoch)',
}
_CLASSES: dict[str, str] = {
    "torch.nn.functional": "name its class in torch.nn, as torch.nn:CrossEntropyLoss is that of cross_entropy",
    "torchmetrics.functional": "name its class in torchmetrics, as torchmetrics.classification:MulticlassAccuracy is",
    "torchvision.transforms.functional": "name its class in torchvision.transforms.v2",
    "torchvision.transforms.v2.functional": "name its class in torchvision.transforms.v2",
}
"""What has a class beside each function."""


def component_itself(path: Path, group: str, entry: ComponentEntry, missing: Sequence[Parameter]) -> Problem | None:
    """The mistake of which all `missing` arguments speak: the component is not made, it is called. None where they may
    be arguments of what makes it."""
    if not is_own(entry.kind) or not missing:
        return None
    place = (*path, "kind")
    names = ", ".join(parameter.name for parameter in missing)
    if [parameter.name for parameter in missing] == list(_OFFERED.get(group, ()))[: len(missing)]:
        message = f"{show(entry.kind)} takes {names} by name, and craftc hands it over by position"
        hint = f"write a / behind it in the signature: ({names}, /, ...)"
        return Problem("unfit-component", place, message, hint, related=entry.definition())
    if not _is_called_with(group, missing):
        return None
    message = (
        f"{show(entry.kind)} takes ({names}), as {_IS[group]} does itself; craftc calls what kind names to make one"
    )
    module, _, name = entry.kind.rpartition(":")
    libraries = [hint for library, hint in _CLASSES.items() if f"{module}.".startswith(f"{library}.")]
    hint = libraries[0] if libraries else _MEND[group].format(name=name)
    return Problem("unfit-component", place, message, hint, related=entry.definition())


def _is_called_with(group: str, missing: Sequence[Parameter]) -> bool:
    """Whether craftc calls a component of the group with such arguments."""
    called_with = _CALLED_WITH.get(group, ())
    fewest = 1 if group == "augmentations" else len(called_with)
    if not called_with or len(missing) < fewest:
        return False
    named = [
        each.name.lower() in names and _may_be_tensor(each) for each, names in zip(missing, called_with, strict=False)
    ]
    are_tensors = len(missing) <= len(called_with) and all(is_component(each.type) for each in missing)
    return all(named) or (any(named) and are_tensors)


def _may_be_tensor(parameter: Parameter) -> bool:
    """Whether its annotation leaves that open. A tensor is read as an object of a class, as only a component can be."""
    return not parameter.type or any(is_component(part) for part in options(parameter.type))
