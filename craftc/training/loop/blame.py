"""Finds out which part of a training raised in a step, by trying model and objective one after the other.

B: samples of a batch.
"""

import torch
from torch import Tensor

from craftc.training.assemble import Parts
from craftc.training.foundation.error_context import GUIDE, errors_of
from craftc.training.parts.objective import CODE as OBJECTIVE_FAILED
from craftc.training.parts.objective import differentiate, try_backward


def blame_objective(parts: Parts, x_B: Tensor, y_B: Tensor) -> None:
    """Called after forward or backward of this batch raised. Raises TrainingError `objective-failed` where the
    objective raises on the model's logits, or in its backward; returns where it is the model's own exception.

    Runs the model again, so the training cannot go on. Of several workers nothing is tried: they would wait for each
    other.
    """
    if parts.workers.size > 1:
        return
    try:
        with torch.no_grad():
            logits = parts.precision.logits(parts.model, x_B)
    except Exception:
        return
    leaf = logits.detach().clone().requires_grad_()
    on = f"objective on logits {tuple(logits.shape)}"
    with errors_of(on, code=OBJECTIVE_FAILED, hint=GUIDE):
        loss = differentiate(parts.objective, leaf, y_B)
    with errors_of(f"{on}, backward", code=OBJECTIVE_FAILED, hint=GUIDE):
        try_backward(loss, leaf)
