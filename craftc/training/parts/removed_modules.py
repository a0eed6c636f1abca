"""Takes modules out of a model that is built: zeros or their input stand in their place, and what remains is as it was.

The whole model is run once on a few samples, which shows what each module is given and returns, and whether the model
adds that to something, as it does with a residual branch. Then it is run without them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from craftc.components.own_line import told
from craftc.schemas.catalogue import REMOVE
from craftc.training.foundation.error_context import described
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.named_modules import MOST_NAMED, UNFIT, Named, named_by
from craftc.training.parts.stand_in import Shape, StandIn
from craftc.training.parts.watched_modules import Seen, first_tensor, is_branch, watched


class Removed(NamedTuple):
    """What was taken out: the names of modules, parameters and buffers that zeros stand for, of modules that their
    input stands for, and how many trained numbers those had. `order` are the modules of the whole model, by whose
    places dropout draws its numbers."""

    zero: tuple[str, ...]
    identity: tuple[str, ...]
    num_parameters: int
    order: tuple[nn.Module, ...]


def remove_modules(
    model: nn.Module, removals: Sequence[Mapping[str, Any]], run: Callable[[], Any], what: str
) -> tuple[Removed, Any]:
    """Take out, in place, what `removals` name; and what the model then returns. `run` calls it on a few samples, and
    `what` is its name.

    The model is in eval mode. Raises what `run` raises of the whole model, and TrainingError `module-unmatched` and
    `module-not-removable`.
    """
    outermost = named_by(model, removals)
    with watched([each.module for each in outermost if each.module is not None]) as seen:
        run()
    before, order = _num_parameters(model), tuple(model.modules())
    stand_ins = {
        each.name: _stand_in(each, each.module, seen[id(each.module)], what)
        for each in outermost
        if each.module is not None
    }
    for each in outermost:
        if each.name in stand_ins:
            setattr(each.holder, each.attribute, stand_ins[each.name])
        else:
            _zero(each)
    if before and not _num_parameters(model):
        raise TrainingError(UNFIT, f"{what} has no parameter left without what model.{REMOVE} names")
    device = next((tensor.device for tensor in model.state_dict().values() if tensor.device.type == "cuda"), None)
    # What the model draws was drawn before, as where nothing is removed.
    with torch.random.fork_rng([device] if device is not None else []):
        returned = _try_without(stand_ins, run, what)
    identity = tuple(name for name, stand_in in stand_ins.items() if stand_in.is_identity)
    zero = tuple(each.name for each in outermost if each.name not in identity)
    return Removed(zero, identity, before - _num_parameters(model), order), returned


def _num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _stand_in(named: Named, module: nn.Module, seen: Seen, what: str) -> StandIn:
    """What stands in the place of a module. Raises TrainingError `module-not-removable`."""
    place = f"model.{REMOVE}: {named.name} ({type(module).__name__})"
    if not seen.num_calls:
        message = f"{place} is not called when {what} is evaluated: the model uses its parts itself, or not at all"
        raise TrainingError(UNFIT, f"{message}; name a module that it calls")
    output = first_tensor(seen.returned)
    if seen.given is None or output is None:
        message = f"{place} is given {described(seen.given)} and returns {described(seen.returned)}"
        raise TrainingError(UNFIT, f"{message}; what is removed is given a tensor, and returns one or a tuple of them")
    is_identity = named.by == "identity" or (named.by == "infer" and not is_branch(module, seen))
    shapes = f"{tuple(seen.given.shape)} into {tuple(output.shape)}"
    is_alike = seen.given.shape == output.shape and seen.given.is_floating_point() == output.is_floating_point()
    if is_identity and not is_alike:
        types = "" if seen.given.shape != output.shape else f" of {output.dtype}, and is given {seen.given.dtype}"
        message = f"{place} turns {shapes}{types}, so that its input cannot stand for its output"
        raise TrainingError(UNFIT, f"{message}; write by: zero, or remove modules that keep the shape")
    return StandIn(module, is_identity, Shape.of(seen.given, output), output.dtype, seen.returned)


def _zero(named: Named) -> None:
    """A parameter or buffer as zeros that are not trained, and are no part of what is saved."""
    if named.by == "identity":
        message = f"model.{REMOVE}: {named.name} is no module but a tensor, which has no input"
        raise TrainingError(UNFIT, f"{message}; write by: zero")
    tensor = getattr(named.holder, named.attribute)
    zeros = torch.zeros_like(tensor, requires_grad=False).detach()
    delattr(named.holder, named.attribute)
    named.holder.register_buffer(named.attribute, zeros, persistent=False)


def _try_without(stand_ins: Mapping[str, StandIn], run: Callable[[], Any], what: str) -> Any:
    """What the model returns. Raises TrainingError `module-not-removable` where it needs more of a module than its
    call."""
    calls: list[str] = []
    for name, stand_in in stand_ins.items():
        stand_in.watch(lambda name=name: calls.append(name))  # type: ignore[misc]
    try:
        returned = run()
    except Exception as error:
        names = _listed(list(stand_ins))
        message = f"model.{REMOVE}: {what} does not run without {names}: {told(error)}"
        hint = "where the model uses the weights or parts of a module itself, remove the module that does so"
        raise TrainingError(UNFIT, f"{message}; {hint}") from error
    finally:
        for stand_in in stand_ins.values():
            stand_in.watch(None)
    if unused := [name for name in stand_ins if name not in calls]:
        message = f"model.{REMOVE}: {what} passes over what stands for {_listed(unused)}, which changes nothing"
        raise TrainingError(UNFIT, f"{message}; name a module that the model calls")
    return returned


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
