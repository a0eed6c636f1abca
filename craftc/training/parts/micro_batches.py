"""Divides the samples of a step into those that go through forward and backward at a time.

B: samples of a step, which are one or several batches.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import nn

# Public in effect: what batch norms of all packages derive from.
from torch.nn.modules.batchnorm import _BatchNorm

from craftc.components.declared import gives_embeddings
from craftc.training.foundation.errors import TrainingError
from craftc.training.foundation.out_of_memory import is_out_of_memory, make_room
from craftc.training.parts.kept_state import KeptState
from craftc.training.parts.model import Tried
from craftc.training.parts.terms import parts_of
from craftc.training.parts.worker_group import WorkerGroup

T = TypeVar("T")
UNFIT = "micro-batch-unfit"
_OTHERWISE = "write a smaller batch_size and training.accumulate in the place of micro_batch, which is another training"


class MicroBatch(NamedTuple):
    """The samples of a step from `start` to before `stop`, the `number`-th that this worker takes. Where every worker
    takes all of a batch, what it computes counts for its `share` of it."""

    number: int
    start: int
    stop: int
    share: float


class OnDevice(Protocol):
    """Where a training is computed."""

    @property
    def device(self) -> torch.device:
        """This worker's."""
        ...

    @property
    def workers(self) -> WorkerGroup:
        """Of the training."""
        ...


class MicroBatches:
    """A step takes batches of `batch_size`, each by as many samples as `wanted` at a time: None all of them, "auto" as
    many as fit, for which `size` is what is known so far."""

    def __init__(self, batch_size: int, accumulate: int = 1, wanted: int | Literal["auto"] | None = None) -> None:
        self._batch_size, self._wanted = batch_size, wanted
        self.is_found_out = wanted == "auto"
        self.is_one = accumulate == 1 and wanted is None
        """Whether a step is one forward and one backward."""
        self.size = min(wanted, batch_size) if isinstance(wanted, int) else batch_size
        self._evaluated = self.size if isinstance(wanted, int) else None

    @property
    def told(self) -> int | None:
        """What a Result says of it."""
        return None if self._wanted is None else self.size

    def of_step(self, num_samples: int, workers: WorkerGroup) -> Iterator[MicroBatch]:
        """Those of this worker, of a step of so many samples."""
        number = 0
        for batch in range(0, num_samples, self._batch_size):
            size = min(self._batch_size, num_samples - batch)
            first, last = workers.place(size)
            share = 1.0 if workers.size == 1 or workers.splits(size) else 1 / workers.size
            for start in range(batch + first, batch + last, self.size):
                yield MicroBatch(number, start, min(start + self.size, batch + last), share)
                number += 1

    def fitting(self, take: Callable[[], T], modules: Sequence[nn.Module], device: torch.device) -> T:
        """What `take` returns of as many samples at a time as fit; it is called again, with buffers and random numbers
        as they were, after a memory was full."""
        return self._fitting(take, modules, device, self._halve) if self.is_found_out else take()

    def fitting_evaluation(self, take: Callable[[], T], of: "OnDevice") -> T:
        """The same of an evaluation, which changes nothing of a training. Several workers would wait for each other, so
        they take what training has found to fit."""
        if self.is_found_out and of.workers.size == 1:
            return self._fitting(take, (), of.device, self._halve_evaluated)
        return take()

    def most_evaluated(self, workers: WorkerGroup) -> int | None:
        """The most samples of a batch of evaluation, the same for all workers; None: as many as are usual."""
        return workers.share(self._evaluated) if self.is_found_out else self._evaluated

    def _fitting(
        self, take: Callable[[], T], modules: Sequence[nn.Module], device: torch.device, halve: Callable[[], bool]
    ) -> T:
        kept = KeptState(modules)
        while True:
            try:
                return take()
            except Exception as error:
                if not is_out_of_memory(error) or not halve():
                    raise
            # Behind the handler, whose traceback holds what was computed.
            kept.restore()
            make_room(device)

    def _halve(self) -> bool:
        if self.size == 1:
            return False
        self.size = -(-self.size // 2)
        self._evaluated = min(self._evaluated or self.size, self.size)
        return True

    def _halve_evaluated(self) -> bool:
        if self._evaluated == 1:
            return False
        self._evaluated = self.size if self._evaluated is None else -(-self._evaluated // 2)
        return True


def check_fits(tried: Tried, objective: nn.Module, config: Mapping[str, Any]) -> None:
    """Raise TrainingError `micro-batch-unfit` where a batch in parts is not the batch: where samples are compared with
    each other, or a forward in training mode leaves something behind."""
    compares = any(getattr(part, "compares_samples", False) for part in parts_of(objective).values())
    if compares or gives_embeddings(config):
        message = "the objective compares the samples of a batch with each other, and a micro-batch has some of them"
        raise TrainingError(UNFIT, f"{message}; write micro_batch: none, and a smaller batch_size")
    model = copy.deepcopy(tried.model).train()
    norm = next((name for name, each in model.named_modules() if isinstance(each, _BatchNorm) and each.training), None)
    if norm is not None:
        message = f"the batch normalization {norm} of the model takes its statistics from a whole batch"
        raise TrainingError(UNFIT, f"{message}; {_OTHERWISE}")
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    device = next(iter(model.state_dict().values())).device
    with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            tried.calls.model(model, tried.batch)
        except Exception:
            return  # training itself reports that
    changed = [name for name, buffer in model.named_buffers() if not _equal(before.get(name), buffer)]
    if changed:
        message = f"the model changes its buffer {changed[0]} whenever it is called in training"
        raise TrainingError(UNFIT, f"{message}, which is more often with micro-batches; {_OTHERWISE}")


def _equal(one: torch.Tensor | None, other: torch.Tensor) -> bool:
    return one is not None and one.shape == other.shape and torch.equal(one, other)
