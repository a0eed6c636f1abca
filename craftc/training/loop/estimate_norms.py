"""Estimates the statistics of batch normalization for averaged weights, which no step was taken with."""

from torch import nn

# Public in effect: what batch norms of all packages derive from.
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch, DeviceSplit, train_batches
from craftc.training.foundation.random import epoch_order, key, seed_everything
from craftc.training.parts.calls import Output
from craftc.training.parts.sync_batch_norm import each_has_all


def estimate_norms(parts: Parts, train: DeviceSplit, *, batch_size: int, num_steps: int) -> None:
    """Where weights that all count alike are averaged (SWA), a pass over train, augmented as in a step, leaves the
    means of its batches' statistics in the average. Nothing before decides them, so a resumed training finds the same.
    Values are those of the last of `num_steps` steps.

    Every worker takes the whole of it. Dropout is off, as it is when the statistics are used; torch's tutorial leaves
    it on.
    """
    averaging, ema = parts.averaging, parts.ema
    if averaging is None or ema is None or averaging.decay is not None or ema.n_averaged == 0:
        return
    seed = key(parts.seed, "evaluation")
    seed_everything(seed, parts.device)
    order, values = epoch_order(seed, 0, len(train)), parts.values.after(num_steps)

    def given(index: int, batch: Batch) -> Batch:
        first = parts.calls.first
        x_B = parts.augmentations(batch[first], seed=seed, step=index)
        return {**batch, first: x_B if parts.features is None else parts.features(x_B), **values}

    batches = enumerate(train_batches(train, order, batch_size))
    with each_has_all():
        update_bn((given(index, batch) for index, batch in batches), _Norms(parts, ema.module))


class _Norms(nn.Module):
    """A model whose batch normalizations alone are in training when it is."""

    def __init__(self, parts: Parts, model: nn.Module) -> None:
        super().__init__()
        self._call, self._precision, self._model = parts.step_calls.predict, parts.precision, model

    def train(self, mode: bool = True) -> "_Norms":
        super().train(False)
        self.training = mode
        for module in self._model.modules():
            if isinstance(module, _BatchNorm):
                module.train(mode)
        return self

    def forward(self, batch: Batch) -> Output:
        return self._precision.output(lambda given: self._call(self._model, given), batch)
