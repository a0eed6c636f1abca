"""Whether autograd is in a backward pass, in which activation checkpoints compute parts of the forward again."""

from collections.abc import Callable

import torch

from craftc.fence import fence, require

NO_TASK = -1
"""torch's number of the backward pass of a thread that is in none."""


@fence(
    "torch.graph_task",
    instead="dropout takes as backward what comes after the forward of a step, "
    "which a gradient that a model takes within its forward is not",
)
def graph_task() -> Callable[[], int]:
    """The number of the backward pass that this thread is in. First called outside of vmap, where none may begin."""
    current: Callable[[], int] = torch._C._current_graph_task_id
    seen: list[int] = []
    with torch.enable_grad():
        x = torch.ones((), requires_grad=True)
        y = x * 2
        y.register_hook(lambda gradient: seen.append(current()))  # type: ignore[no-untyped-call]
        torch.autograd.grad(y, x)
    require(current() == NO_TASK, "outside of a backward pass there is one")
    require(len(seen) == 1 and seen[0] != NO_TASK, "within a backward pass there is none")
    return current
