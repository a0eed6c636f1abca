"""Updates the moving average of a model's weights after a step."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from craftc.training.foundation import foreach
from craftc.training.parts.dropout import Counted


class Average:
    """Takes the weights of `model` into `ema`; the first that it takes are the average.

    What torch's `update_parameters` does at every step, with what it looks for at every step found once. Buffers are
    copied, but for those of dropout, which never change.
    """

    def __init__(self, ema: AveragedModel, model: nn.Module, decay: float) -> None:
        self._num_averaged = ema.n_averaged
        self._share = 1 - decay
        pairs = list(zip(ema.module.parameters(), model.parameters(), strict=True))
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._averages: list[Tensor] = [average for average, _ in averaged]
        self._weights: list[Tensor] = [weight for _, weight in averaged]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]
        # By their modules, since a model may put another tensor in a buffer's place. `_buffers` is in every module that
        # was ever pickled, so that torch keeps it as it is; `named_buffers` takes 2 us a module to say the same.
        modules = zip(ema.module.modules(), model.modules(), strict=True)
        self._owners = [pair for pair in modules if pair[1]._buffers and not isinstance(pair[1], Counted)]

    @torch.no_grad()
    def take(self) -> None:
        """After a step. The counter is on the CPU, so that reading it waits for no GPU."""
        if self._num_averaged == 0:
            foreach.copy_(self._averages, self._weights)
        else:
            foreach.lerp_(self._averages, self._weights, self._share)
        for mine, theirs in self._copied:
            mine.copy_(theirs)
        for average, module in self._owners:
            for mine_or_none, theirs_or_none in zip(average._buffers.values(), module._buffers.values(), strict=True):
                if mine_or_none is not None and theirs_or_none is not None:
                    mine_or_none.copy_(theirs_or_none)
        self._num_averaged += 1
