"""Has a model look at several views of each sample, and puts what it makes of them together.

V: views, B: samples of a batch, C: classes or labels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from craftc.components.build import build
from craftc.components.sources.columns import Column
from craftc.training.data.device_split import Batch
from craftc.training.foundation.error_context import GUIDE, described, errors_of
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import Output

FAILED = "views-failed"
Predict = Callable[[Batch], Output]


@dataclass(frozen=True)
class Views:
    """`look` makes of the first input (B, ...), the column `first`, several of its shape. Outputs are averaged as those
    of a target of that `kind`; with `top_k`, for each sample those of the views that the model is surest of alone.
    `main` is the output that is measured where a model returns several."""

    name: str
    look: Callable[[Tensor], Any]
    first: str
    kind: str
    top_k: int | None = None
    main: str | None = None

    def of(self, predict: Predict) -> Predict:
        """What the views of a batch come to together."""

        def of_all(batch: Batch) -> Output:
            return self._merged([predict({**batch, self.first: view}) for view in self._views(batch[self.first])])

        return of_all

    def _views(self, x: Tensor) -> Sequence[Tensor]:
        with errors_of(f"views {self.name} on inputs {tuple(x.shape)}", code=FAILED, hint=GUIDE):
            views = list(self.look(x))
        if not views or any(not isinstance(view, Tensor) or view.shape != x.shape for view in views):
            wrong = next((view for view in views if not isinstance(view, Tensor) or view.shape != x.shape), None)
            message = f"views {self.name} gave {described(wrong) if views else 'no view'} of inputs {tuple(x.shape)}"
            raise TrainingError(FAILED, f"{message}; expected batches of the same shape; {GUIDE}")
        if self.top_k is not None and self.top_k > len(views):
            message = f"views {self.name} gave {len(views)} views, and top_k asks for {self.top_k} of them"
            raise TrainingError(FAILED, message)
        return views

    def _merged(self, outputs: Sequence[Output]) -> Output:
        tensors = [each for each in outputs if isinstance(each, Tensor)]
        if len(tensors) == len(outputs):
            return self._together(tensors)
        named = [each for each in outputs if isinstance(each, dict)]
        return {
            name: self._together([each[name] for each in named])
            if name == self.main
            else torch.stack([each[name] for each in named]).to(value.dtype).mean(0)
            if value.is_floating_point()
            else value
            for name, value in named[0].items()
        }

    def _together(self, outputs: Sequence[Tensor]) -> Tensor:
        if self.kind == "class":
            return mean_probabilities(torch.stack(list(outputs)), self.top_k)
        if self.kind == "classes":
            return mean_of_labels(torch.stack(list(outputs)), self.top_k)
        return torch.stack(list(outputs)).mean(0)


def mean_probabilities(logits_VBC: Tensor, top_k: int | None = None) -> Tensor:
    """The logarithms (B, C) of the mean probabilities, which are logits as well; with `top_k`, of so many views of each
    sample, those of the greatest probability."""
    logs_VBC = F.log_softmax(_wide(logits_VBC), -1)
    if top_k is not None:
        logs_VBC = _surest(logs_VBC, logs_VBC.amax(-1), top_k)
    return (logs_VBC.logsumexp(0) - math.log(len(logs_VBC))).to(logits_VBC.dtype)


def mean_of_labels(logits_VBC: Tensor, top_k: int | None = None) -> Tensor:
    """The log odds (B, C) of the mean probability of each label; a view is the surer, the farther its probabilities
    are from one half."""
    wide_VBC = _wide(logits_VBC)
    if top_k is not None:
        wide_VBC = _surest(wide_VBC, (wide_VBC.sigmoid() - 0.5).abs().mean(-1), top_k)
    odds_BC = F.logsigmoid(wide_VBC).logsumexp(0) - F.logsigmoid(-wide_VBC).logsumexp(0)
    return odds_BC.to(logits_VBC.dtype)


def _wide(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _surest(values_VBC: Tensor, sureness_VB: Tensor, top_k: int) -> Tensor:
    """Of every sample the views that are surest, (top_k, B, C)."""
    place_KB = sureness_VB.topk(top_k, dim=0).indices
    return values_VBC.gather(0, place_KB.unsqueeze(-1).expand(-1, -1, values_VBC.shape[-1]))


def build_views(
    setting: Mapping[str, Any], first: str, target: Column | None, main: str | int | None, device: torch.device
) -> Views | None:
    """From a pass's `views`; None of those that are the sample alone. Raises TrainingError `views-failed`."""
    name = setting["kind"]
    if name == "none":
        return None
    with errors_of(f"views {name}", code=FAILED):
        look = build("views", setting)
        if not callable(look):
            raise TypeError(f"it gave {described(look)}, which cannot be called; {GUIDE}")
    if isinstance(look, torch.nn.Module):
        look = look.to(device)
    top_k = getattr(look, "top_k", None)
    top_k = None if top_k == "none" else top_k
    kind = "none" if target is None else target.kind
    if target is not None and (
        kind in ("token", "mask", "vectors", "transcript") or (kind == "class" and target.values.ndim > 1)
    ):
        what = "the target has a value for each place of a sample, and views have other places"
        raise TrainingError(FAILED, f"views {name} cannot be averaged: {what}")
    if top_k is not None and kind not in ("class", "classes"):
        message = f"views {name}: top_k takes the views that a model is surest of, and a quantity has no probability"
        raise TrainingError(FAILED, message)
    return Views(name, look, first, kind, top_k, None if main is None else str(main))
