"""Makes the batch normalization of a model use the whole batch of all workers.

torch's SyncBatchNorm does so on GPUs only, and a trial's result must not depend on how many workers it has.
x: (P, C, ...), this worker's part of the batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

# Public in effect: what batch norms of all packages derive from, with `_check_input_dim` as the method to override.
from torch.nn.modules.batchnorm import _BatchNorm

_IS_WHOLE: ContextVar[bool] = ContextVar("_IS_WHOLE", default=False)


@contextmanager
def each_has_all() -> Iterator[None]:
    """Within, every worker has all samples of the batch: its own statistics are those of all."""
    before = _IS_WHOLE.set(True)
    try:
        yield
    finally:
        _IS_WHOLE.reset(before)


def sync_batch_norms(model: nn.Module) -> None:
    """Have every batch normalization of the model take its statistics over all workers while it trains."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            # On the instance, so that class, parameters and buffers stay; a deep copy takes its own module along.
            module.forward = partial(_normalize, module)  # type: ignore[method-assign]


def _normalize(module: _BatchNorm, x: Tensor) -> Tensor:
    """Ioffe and Szegedy (2015) over the batches of all workers; what came in 16 bits is summed in 32, as torch does."""
    if not module.training or _IS_WHOLE.get():
        return type(module).forward(module, x)
    given, x = x.dtype, x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    module._check_input_dim(x)  # type: ignore[no-untyped-call]
    dims = [0, *range(2, x.dim())]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    count = torch.full((1,), x.numel() // x.shape[1], dtype=x.dtype, device=x.device)
    dist.all_reduce(count)
    # Two passes: the mean of squares less the square of the mean would lose digits.
    mean_C = _summed(x.sum(dims)) / count
    centered = x - mean_C.view(shape)
    variance_C = _summed(centered.square().sum(dims)) / count
    _update_running(module, mean_C.detach(), (variance_C * count / (count - 1)).detach())
    normalized = centered * torch.rsqrt(variance_C + module.eps).view(shape)
    if module.weight is not None:
        normalized = normalized * module.weight.view(shape) + module.bias.view(shape)
    return normalized.to(given)


def _summed(part: Tensor) -> Tensor:
    """The sum over workers; gradients flow back through it."""
    total: Tensor = all_reduce(part)  # type: ignore[no-untyped-call]
    return total


def _update_running(module: _BatchNorm, mean_C: Tensor, variance_C: Tensor) -> None:
    if module.running_mean is None or module.running_var is None or module.num_batches_tracked is None:
        return
    module.num_batches_tracked.add_(1)
    momentum = 1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
    module.running_mean.lerp_(mean_C, momentum)
    module.running_var.lerp_(variance_C, momentum)
