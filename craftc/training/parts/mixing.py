"""Mixes the loss of a step whose samples an augmentation has mixed: of each sample's own target and its partner's.

The loss of a sample is `share * L(output, target) + (1 - share) * L(output, target of its partner)`, and so is the
weight that divides it. It takes an objective that adds up over samples; which one does not matter, nor do class
weights, masks and terms.

B: samples of a batch, T: terms of an objective.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from craftc.components.augmentations.mixing import Mixed
from craftc.components.many import for_each_model
from craftc.training.data.device_split import Batch
from craftc.training.data.split import Split
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import INPUT_MASK, Calls, MeasureCall, Output
from craftc.training.parts.model import Tried
from craftc.training.parts.objective import sum_and_weight

CODE = "mixing-unfit"
SHARE = "share of the own target"
"""The column of a batch with the share of each sample. No parameter can be called so, nor as what follows."""
PARTNERS = "partner's "
"""Before the name of a column: that of the partners."""
TOLERANCE = 1e-4


def mixed_names(split: Split) -> tuple[str, ...]:
    """The columns that are a sample's own and of which the loss wants its partner's as well."""
    names = (split.target, split.target_mask, *split.named("weight"))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def with_partners(batch: Batch, mixed: Mixed | None, first: str, names: Sequence[str]) -> Batch:
    """The columns of a batch (B, ...) and those of the partners; None: each sample is its own.

    A column of the height and width of the images is cut and pasted as they are, and then there is one target.
    """
    if mixed is None:
        num_samples = len(batch[first])
        share_B = torch.ones(num_samples, device=batch[first].device)
        return {**batch, SHARE: share_B, **{PARTNERS + name: batch[name] for name in names}}
    found = {**batch, first: mixed.x, SHARE: mixed.share_B}
    partners = {name: batch[name].index_select(0, mixed.partner_B) for name in names}
    if mixed.is_pasted_BHW is not None and (dense := _dense(batch, mixed.is_pasted_BHW, names)):
        # What is added up and not pasted keeps its share.
        is_cut_B = mixed.is_pasted_BHW.flatten(1).any(1)
        found[SHARE] = torch.where(is_cut_B, 1.0, mixed.share_B)
        for name in dense:
            own, of_partner = batch[name], partners[name]
            is_pasted = mixed.is_pasted_BHW if own.dim() == 3 else mixed.is_pasted_BHW[:, None]
            found[name] = torch.where(is_pasted, of_partner, own)
    return {**found, **{PARTNERS + name: column for name, column in partners.items()}}


def _dense(batch: Batch, is_pasted_BHW: Tensor, names: Sequence[str]) -> list[str]:
    """The columns of the images' own height and width, where the target is one."""
    size = is_pasted_BHW.shape[-2:]
    dense = [name for name in names if batch[name].dim() in (3, 4) and batch[name].shape[-2:] == size]
    return dense if names and names[0] in dense else []


def mixed_loss(
    objective: nn.Module, call: MeasureCall, calls: Calls, output: Output, batch: Batch, *, by_vmap: bool = True
) -> tuple[Tensor, Tensor]:
    """The loss of a batch with partners as (sum, weight), of terms (T,) each; of an objective that vmap cannot take, by
    a call for each sample."""
    alike = {name: value for name, value in batch.items() if value.dim() == 0}
    columns = {name: value for name, value in batch.items() if value.dim() > 0}

    def one(output: Any, sample: Batch) -> tuple[Tensor, Tensor]:
        share = sample[SHARE]
        own = {name: value[None] for name, value in sample.items() if name != SHARE} | alike
        partners = {name.removeprefix(PARTNERS): v for name, v in own.items() if name.startswith(PARTNERS)}
        output = {name: v[None] for name, v in output.items()} if isinstance(output, Mapping) else output[None]
        loss, weight = sum_and_weight(objective, call, calls.given(output, own))
        other, other_weight = sum_and_weight(objective, call, calls.given(output, own | partners))
        share = share.to(loss.dtype)
        return share * loss + (1 - share) * other, share * weight + (1 - share) * other_weight

    if by_vmap:
        # What is compiled is of one model, and need not say that there are many.
        over_samples = vmap(one) if torch.compiler.is_compiling() else partial(for_each_model, one)
        losses, weights = over_samples(output, columns)
    else:
        each = [one(_at(output, index), _at(columns, index)) for index in range(len(columns[SHARE]))]
        losses, weights = (torch.stack(found) for found in zip(*each, strict=True))
    return losses.sum(0), weights.sum(0)


def _at(values: Any, index: int) -> Any:
    return {name: value[index] for name, value in values.items()} if isinstance(values, Mapping) else values[index]


def check_mixable(objective: nn.Module, call: MeasureCall, tried: Tried, split: Split) -> bool:
    """Whether vmap can take the objective. Raises TrainingError `mixing-unfit` where there is nothing to mix, or where
    the loss of two samples is another than that of one and of the other."""
    given = tried.calls.model.columns.intersection(split.named("input"))
    if len(given) > 1:
        message = f"an augmentation mixes the first input alone, and the model is given {', '.join(sorted(given))}"
        raise TrainingError(CODE, f"{message}; leave it out")
    if split.target is None:
        message = f"an augmentation mixes targets, and the data has {_targets(split)}"
        raise TrainingError(CODE, f"{message}; leave it out")
    if INPUT_MASK in dict(call.named):
        message = "an augmentation mixes inputs, and the mask of a sample says how long its own is, not its partner's"
        raise TrainingError(CODE, f"{message}; leave it out")
    batch = with_partners(tried.batch, None, split.first, mixed_names(split))
    objective.train()
    with torch.no_grad():
        whole = torch.stack(sum_and_weight(objective, call, tried.given))
        found = torch.stack(mixed_loss(objective, call, tried.calls, tried.output, batch, by_vmap=False))
        if not torch.allclose(whole, found.to(whole.dtype), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            message = (
                "an augmentation mixes the losses of single samples, and that of a batch is not their sum: the "
                "objective compares samples, or divides by weights of its own"
            )
            raise TrainingError(CODE, f"{message}; return (loss_sum, weight_sum), or leave the augmentation out")
        try:
            mixed_loss(objective, call, tried.calls, tried.output, batch)
        except Exception:
            return False  # a branch on values, say
    return True


def _targets(split: Split) -> str:
    names = split.named("target")
    return "no target" if not names else f"several: {', '.join(names)}"
