"""Holds the worker group that trains one trial: divides batches among workers and combines what they computed.

B: samples of a batch, P: those of them that are this worker's part.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from craftc.training.foundation.postponed_compiler import postpone_compiler
from craftc.training.parts.dropout import Counted
from craftc.training.parts.sync_batch_norm import sync_batch_norms

T = TypeVar("T")


@dataclass(frozen=True)
class WorkerGroup:
    """Worker `rank` (counts from 0) of `size`; more than one need torch's default process group.

    Every method but `part` is a collective: all workers call it, in the same order. A group of one does not
    communicate, and returns what it is given.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the worker that writes and reports."""
        return self.rank == 0

    def splits(self, num_samples: int) -> bool:
        """Whether a batch of that many samples is split. With fewer than workers, each of them takes it whole: a
        model need not know what to do with no samples, and gradients are averaged over workers anyway."""
        return 1 < self.size <= num_samples

    def part(self, batch: Tensor) -> Tensor:
        """(B, ...) to this worker's (P, ...): consecutive samples, and as many as the others have, or one more."""
        return batch.tensor_split(self.size)[self.rank] if self.splits(len(batch)) else batch

    def first_sample(self, num_samples: int) -> int:
        """The place in a batch of the first sample of this worker's part."""
        size, rest = divmod(num_samples, self.size)
        return self.rank * size + min(self.rank, rest) if self.splits(num_samples) else 0

    def place(self, num_samples: int) -> tuple[int, int]:
        """The places in a batch of this worker's part, [first, last)."""
        if not self.splits(num_samples):
            return 0, num_samples
        first, (size, rest) = self.first_sample(num_samples), divmod(num_samples, self.size)
        return first, first + size + (self.rank < rest)

    def whole(self, part: Tensor, num_samples: int) -> Tensor:
        """The parts of all workers (P, ...), put together in order to (B, ...); `num_samples` is B."""
        if not self.splits(num_samples):
            return part
        longest = -(-num_samples // self.size)
        padded = part.new_zeros(longest, *part.shape[1:])
        padded[: len(part)] = part
        gathered = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(gathered, padded)
        lengths = [len(piece) for piece in torch.arange(num_samples).tensor_split(self.size)]
        return torch.cat([piece[:length] for piece, length in zip(gathered, lengths, strict=True)])

    def total(self, values: Tensor, num_samples: int) -> Tensor:
        """The sum over the samples of a batch of B = `num_samples`, from each worker's sum over its part."""
        if self.size > 1:
            values = values / (1 if self.splits(num_samples) else self.size)
            dist.all_reduce(values)
        return values

    def summed(self, values: Tensor) -> Tensor:
        """The sum over workers."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Have the gradients of every worker be their sum; none where no worker has one."""
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if self.size == 1 or not trained:
            return
        flags = [float(parameter.grad is not None) for parameter in trained]
        of_any = self.summed(torch.tensor(flags, device=trained[0].device)).tolist()
        used = [parameter for parameter, num in zip(trained, of_any, strict=True) if num]
        each = [torch.zeros_like(one) if one.grad is None else one.grad for one in used]
        summed = self.summed(torch.cat([gradient.flatten() for gradient in each]))
        pieces = torch.split(summed, [gradient.numel() for gradient in each])
        for parameter, gradient, piece in zip(used, each, pieces, strict=True):
            parameter.grad = gradient.copy_(piece.view_as(gradient))

    def share(self, value: T) -> T:
        """The first worker's `value` (anything that can be pickled, tensors on the CPU), on every worker."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def joined(self, model: nn.Module, device: torch.device) -> nn.Module:
        """The model for the forward pass of training: its gradients are the means over workers, its batch
        statistics those of the whole batch. Parameters, buffers and their names stay the model's own."""
        if self.size == 1 or not any(parameter.requires_grad for parameter in model.parameters()):
            return model
        postpone_compiler()
        sync_batch_norms(model)
        # Every worker has them already, and they are sent at every step otherwise.
        constant = [
            f"{name}.{buffer}"
            for name, module in model.named_modules()
            if isinstance(module, Counted)
            for buffer in ("threshold", "scale")
        ]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(  # type: ignore[no-untyped-call]
            model, constant
        )
        return DistributedDataParallel(
            model,
            device_ids=[device] if device.type == "cuda" else None,
            # A model that leaves a parameter out of a step trains with one worker, so it must with several.
            find_unused_parameters=True,
            gradient_as_bucket_view=True,
        )


ONE_WORKER = WorkerGroup()
