"""Finds the modules, parameters and buffers of a model that patterns name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from craftc.schemas.catalogue import REMOVE
from craftc.training.foundation.errors import TrainingError

UNMATCHED, UNFIT = "module-unmatched", "module-not-removable"
MOST_NAMED = 3
"""Modules that a message names."""


@dataclass(frozen=True)
class Named:
    """A module or tensor that is taken out, at one of its places, and by what."""

    name: str
    holder: nn.Module
    attribute: str
    by: str
    pattern: str

    @property
    def module(self) -> nn.Module | None:
        """None where it is a tensor."""
        found = getattr(self.holder, self.attribute)
        return found if isinstance(found, nn.Module) else None


def named_by(model: nn.Module, removals: Sequence[Mapping[str, Any]]) -> list[Named]:
    """What removals name, at each of its places; of what is within each other, the outermost. Raises TrainingError
    `module-unmatched` where a pattern names nothing, and `module-not-removable` where two entries disagree."""
    named = [each for removal in removals for each in _named(model, removal)]
    _check_agreeing(named)
    return _outermost(named)


def _named(model: nn.Module, removal: Mapping[str, Any]) -> Iterator[Named]:
    """What a removal names, at each of its places."""
    # A module that is used in several places is taken out where a pattern says so, and stays elsewhere.
    modules = dict(model.named_modules(remove_duplicate=False))
    callable_ones = {
        name: module
        for name, module in modules.items()
        if name and type(module).forward is not nn.Module.forward  # those of a list are called one by one
    }
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    by = removal.get("by", "infer")
    for pattern in removal["modules"]:
        found = [name for name in callable_ones if fnmatchcase(name, pattern)]
        found = found or [name for name, tensor in tensors if fnmatchcase(name, pattern) and tensor.is_floating_point()]
        if not found:
            raise TrainingError(UNMATCHED, _unmatched(pattern, modules, callable_ones, [name for name, _ in tensors]))
        for name in found:
            holder, _, attribute = name.rpartition(".")
            yield Named(name, modules[holder], attribute, by, pattern)


def _unmatched(
    pattern: str, modules: Mapping[str, nn.Module], callable_ones: Mapping[str, nn.Module], tensors: Sequence[str]
) -> str:
    lists = [name for name in modules if name and name not in callable_ones and fnmatchcase(name, pattern)]
    if lists:
        message = f'model.{REMOVE}: "{pattern}" is a {type(modules[lists[0]]).__name__}, which the model does not call'
        return f"{message}; its modules are {pattern}.*"
    every = [*callable_ones, *tensors]
    nearest = get_close_matches(pattern.replace("*", ""), every, n=MOST_NAMED, cutoff=0.0)
    are = f"; the nearest are {', '.join(nearest)}" if nearest else "; it has none that could be removed"
    return f'model.{REMOVE}: no module of the model is named "{pattern}"{are}'


def _check_agreeing(named: Sequence[Named]) -> None:
    """Raise where two entries say otherwise of one module."""
    first: dict[str, Named] = {}
    for each in named:
        other = first.setdefault(each.name, each)
        if other.by != each.by and "infer" not in (other.by, each.by):
            message = f'"{other.pattern}" removes {each.name} by {other.by}, and "{each.pattern}" by {each.by}'
            raise TrainingError(UNFIT, f"model.{REMOVE}: {message}; keep one of the two")


def _outermost(named: Sequence[Named]) -> list[Named]:
    """Each once, without what is within another. What is said outright counts before what is inferred."""
    by_name: dict[str, Named] = {}
    for each in named:
        if each.name not in by_name or by_name[each.name].by == "infer":
            by_name[each.name] = each
    return [
        each
        for name, each in by_name.items()
        if not any(name.startswith(f"{other}.") and by_name[other].module is not None for other in by_name)
    ]
