"""Compiles the loss of a training by torch; the training stays as it is.

B: samples of a batch.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import torch
from torch import Tensor, nn

from craftc.training.data.device_split import Batch
from craftc.training.foundation.random import key, seed_torch, step_key
from craftc.training.parts.dropout import DropoutBits
from craftc.training.parts.kept_state import KeptState
from craftc.training.parts.loss import Loss, LossFunction
from craftc.training.parts.terms import mean_of

MAX_CHARACTERS = 240
"""Of what torch says, whose first lines are put into one."""
CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
NEVER_AGAIN = "fail_on_recompile"
"""torch's name of the stance in which nothing is compiled again; the error that says so names it."""


class NotCompilableError(Exception):
    """The step cannot be compiled; the message is a sentence about why."""


@dataclass(frozen=True)
class Rehearsal:
    """What forward and backward of a step change or need beside the batch, of which `first` is the first input.
    `modules` are the model and the objective."""

    modules: tuple[nn.Module, nn.Module]
    first: str
    dropout_bits: DropoutBits
    device: torch.device
    seed: int

    def __call__(self, function: LossFunction, batch: Batch, step: int) -> None:
        """Forward and backward of a step."""
        seed_torch(key(self.seed, "forward", step), self.device)
        self.dropout_bits.begin(step_key(self.seed, "forward", step), batch[self.first].shape)
        try:
            # A copy: the step is still to be taken on the batch, and the model may work in place on it.
            loss, weight = function({name: column.clone() for name, column in batch.items()})
            self.dropout_bits.turn()
            mean_of(self.modules[-1], loss, weight).backward()  # type: ignore[no-untyped-call]
        finally:
            self.dropout_bits.end()

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Buffers, gradients and random numbers are afterwards what they were; a step seeds torch's own."""
        kept = KeptState(self.modules)
        try:
            yield
        finally:
            kept.restore()


def compile_loss(
    loss: Loss,
    rehearsal: Rehearsal,
    batch: Batch,
    step: int,
    kernels: Path | None,
    refuse: Callable[[str], None],
) -> LossFunction:
    """The loss of batches of this shape, compiled, by the batch of a step; `kernels` keeps what is compiled.

    `refuse` is told why, should it turn out later that this needs another compilation; the loss is then computed as it
    stands. Raises NotCompilableError, and what the model raises as it stands.
    """
    with rehearsal.undone():
        # Before the first step it is not known what dropout will draw.
        rehearsal(loss.as_it_stands, batch, step)
    # What was compiled for a trial before is of no use any more.
    torch.compiler.reset()
    compiled = torch.compile(
        loss.as_it_stands,
        fullgraph=True,
        dynamic=False,
        # What a model draws from the global generators is the same compiled.
        options={"fallback_random": True, "compile_threads": torch.get_num_threads()},
    )
    with rehearsal.undone(), _kept_in(kernels), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            rehearsal(compiled, batch, step)
            # The second time shows whether it has to be compiled again for every step.
            rehearsal(_as_compiled(compiled), batch, step + 1)
        except Exception as error:
            raise NotCompilableError(_reason(error)) from error
    return _guarded(loss, _as_compiled(compiled), refuse)


def _as_compiled(compiled: LossFunction) -> LossFunction:
    """The same, which raises what `_asks_to_recompile` knows rather than compile anything. Takes 14 us to say so."""

    def computed(batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.compiler.set_stance(NEVER_AGAIN):
            return compiled(batch)

    return computed


def _asks_to_recompile(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and NEVER_AGAIN in str(error)


def _guarded(loss: Loss, compiled: LossFunction, refuse: Callable[[str], None]) -> LossFunction:
    def computed(batch: Batch) -> tuple[Tensor, Tensor]:
        try:
            return compiled(batch)
        except RuntimeError as error:
            if not _asks_to_recompile(error):
                raise
            # Raised before anything is computed.
            refuse(_reason(error))
            return loss.as_it_stands(batch)

    return computed


@contextmanager
def _kept_in(folder: Path | None) -> Iterator[None]:
    """What is compiled within is kept there, unless the environment names another folder."""
    if folder is None or _is_chosen(os.environ.get(CACHE_VARIABLE)):
        yield
        return
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(CACHE_VARIABLE, None)


def _is_chosen(folder: str | None) -> bool:
    """Whether the user has named a folder. Torch itself puts its own choice, torchinductor_USER, into the variable."""
    usual = Path(tempfile.gettempdir()) / "torchinductor_"
    return folder is not None and not folder.startswith(str(usual))


def _reason(error: Exception) -> str:
    if _asks_to_recompile(error):
        return "the model or the objective changes from step to step what a compiled step takes as given"
    # What follows is advice for torch's own developers.
    lines = [line.strip() for line in str(error).split("\n\n")[0].splitlines()]
    told = [line for line in lines if line and not line.startswith("Hint:")]
    said = " ".join(told).replace("Explanation: ", "")
    said = shorten(f"{type(error).__name__}: {said}", MAX_CHARACTERS, placeholder=" ...")
    return f"torch cannot compile the step: {said}"
