"""Decides whether a training may use operations that add up in no fixed order."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from craftc.training.foundation.errors import TrainingError

NO_FORM = ("does not have a deterministic implementation", "not deterministic because it uses CuBLAS")
"""In what torch raises for such an operation."""

# cuBLAS keeps an order with a workspace of its own for each stream, and torch asks for this to be said. It asks once,
# at the first product of the process, so it is said when this is imported, as every training does.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Where it is `wanted`, only operations of a fixed order within; the process is as before afterwards.

    Raises TrainingError `not-deterministic`.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if not any(text in str(error) for text in NO_FORM):
            raise
        message = f"training.deterministic is true, and {str(error).partition(', but you set')[0]}"
        raise TrainingError("not-deterministic", message) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
