"""Sorts the parameters of a model into groups that have learning rates and weight decays of their own."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from craftc.training.foundation.errors import TrainingError

UNMATCHED, UNFIT = "parameter-group-unmatched", "parameter-groups-unfit"
LR_SCALE = "lr_scale"
"""What the learning rate of a group of an optimizer is multiplied by; 1 where it is not there."""
MOST_NAMED = 3
"""Parameters that a message names."""
_PLACE = "training.groups"


class ParameterGroups:
    """By `training.groups`, `training.decay` and `training.layer_decay`: which group has which parameter of a model,
    where several name it the first, and how many layers are above it. Raises TrainingError `parameter-group-unmatched`
    where a group has none, and `parameter-groups-unfit` of a model without blocks whose layers are to differ."""

    def __init__(self, training: Mapping[str, Any], model: nn.Module) -> None:
        self._groups: Sequence[Mapping[str, Any]] = training.get("groups", ())
        self._spares_vectors = training.get("decay", "all") == "weights"
        self._layer_decay: float = training.get("layer_decay", 1.0)
        self._parameters = tuple(model.parameters())
        self._layers_above = _layers_above(model) if self._layer_decay != 1 else {}
        self._group_of = _assigned(self._groups, model)

    @property
    def are_plain(self) -> bool:
        """Whether all parameters are alike."""
        return not self._groups and not self._spares_vectors and not self._layers_above

    def freeze(self) -> None:
        """Have parameters of an `lr_scale` of 0 not be trained, before an optimizer is built."""
        for parameter in self._parameters:
            group = self._group_of.get(id(parameter))
            if group is not None and self._groups[group].get(LR_SCALE, 1.0) == 0:
                parameter.requires_grad_(False)

    def divide(self, optimizer: torch.optim.Optimizer, name: str) -> None:
        """Have an optimizer hold them in groups, first those that no group of the spec names. Raises TrainingError
        `parameter-groups-unfit` where it has groups of its own that are not to be divided, or no weight decay."""
        if self.are_plain:
            return
        if len(optimizer.param_groups) != 1 and not getattr(optimizer, "has_divisible_groups", False):
            message = f"{name} makes {len(optimizer.param_groups)} groups of parameters itself"
            raise TrainingError(UNFIT, f"{message}, and {self._wish} asks for others")
        of_optimizer = list(optimizer.param_groups)
        if any("weight_decay" not in own for own in of_optimizer) and self._asks_for_decay:
            raise TrainingError(UNFIT, f"{name} has no weight_decay, and {self._wish} speaks of one")
        found: dict[tuple[int, int, bool, int], list[nn.Parameter]] = {}
        for number, own in enumerate(of_optimizer):
            for parameter in own["params"]:
                group = self._group_of.get(id(parameter), -1)
                is_spared = self._spares_vectors and parameter.ndim < 2
                above = self._layers_above.get(id(parameter), 0)
                found.setdefault((group, above, is_spared, number), []).append(parameter)
        optimizer.param_groups.clear()
        for (group, above, is_spared, number), parameters in sorted(found.items(), key=lambda item: item[0]):
            options = {key: value for key, value in of_optimizer[number].items() if key != "params"}
            setting = self._groups[group] if group >= 0 else {}
            own = {"weight_decay": 0.0} if is_spared else {}
            if (decay := setting.get("weight_decay", "none")) not in (None, "none"):
                own["weight_decay"] = decay
            factor = setting.get(LR_SCALE, 1.0) * self._layer_decay**above
            scale = {LR_SCALE: factor} if self._groups or self._layers_above else {}
            optimizer.add_param_group({**options, **own, **scale, "params": parameters})

    @property
    def _asks_for_decay(self) -> bool:
        decays = (group.get("weight_decay", "none") for group in self._groups)
        return self._spares_vectors or any(decay not in (None, "none") for decay in decays)

    @property
    def _wish(self) -> str:
        if self._groups:
            return _PLACE
        return "training.decay: weights" if self._spares_vectors else "training.layer_decay"


def _layers_above(model: nn.Module) -> dict[int, int]:
    """By the identity of a parameter, how many layers follow its own: the blocks of the longest list of modules of one
    class, and one more for what is behind them, in the order in which the model has its parameters. 0 is the head's.

    Raises TrainingError `parameter-groups-unfit`.
    """
    lists = [
        module
        for module in model.modules()
        if isinstance(module, nn.ModuleList | nn.Sequential) and len({type(block) for block in module}) == 1
    ]
    blocks = max(lists, key=len, default=nn.ModuleList())
    if len(blocks) < 2:
        message = "training.layer_decay: the model has no list of two or more blocks of one class"
        raise TrainingError(UNFIT, f"{message}; write training.groups, with an lr_scale for each")
    block_of = {id(each): number for number, block in enumerate(blocks, 1) for each in block.parameters()}
    is_behind, found = False, {}
    for parameter in model.parameters():
        is_behind = is_behind or id(parameter) in block_of
        layer = block_of.get(id(parameter), len(blocks) + 1 if is_behind else 0)
        found[id(parameter)] = len(blocks) + 1 - layer
    return found


def _assigned(groups: Sequence[Mapping[str, Any]], model: nn.Module) -> dict[int, int]:
    """By the identity of a parameter, the number of its group."""
    names: dict[int, list[str]] = {}
    # One that is used in several places is meant by the name of any of them.
    for name, parameter in model.named_parameters(remove_duplicate=False) if groups else ():
        names.setdefault(id(parameter), []).append(name)
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    group_of: dict[int, int] = {}
    for number, group in enumerate(groups):
        has_any = False
        for pattern in _patterns(group):
            named = {each for each, its in names.items() if any(fnmatchcase(name, pattern) for name in its)}
            if not named & trained:
                raise TrainingError(UNMATCHED, _unmatched(f"{_PLACE}.{number}", pattern, names, is_frozen=bool(named)))
            left = named & trained - set(group_of)
            group_of |= dict.fromkeys(left, number)
            has_any = has_any or bool(left)
        if not has_any:
            message = f"{_PLACE}.{number} has no parameter left: groups before it have all that it names"
            raise TrainingError(UNMATCHED, f"{message}; of several, the first has a parameter, so put it before them")
    return group_of


def _patterns(group: Mapping[str, Any]) -> Sequence[str]:
    given = group["parameters"]
    return [given] if isinstance(given, str) else given


def _unmatched(place: str, pattern: str, names: Mapping[int, Sequence[str]], *, is_frozen: bool) -> str:
    if is_frozen:
        return f'{place}: "{pattern}" names only parameters that are not trained: they have requires_grad = False'
    every = [name for its in names.values() for name in its]
    nearest = get_close_matches(pattern.replace("*", ""), every, n=MOST_NAMED, cutoff=0.0)
    return f'{place}: no parameter of the model is named "{pattern}"; the nearest are {", ".join(nearest)}'
