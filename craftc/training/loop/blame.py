"""Finds out which part of a training raised in a step, by trying model and objective one after the other."""

from functools import partial

import torch

from craftc.training.assemble import Parts
from craftc.training.data.device_split import Batch
from craftc.training.foundation.error_context import GUIDE, errors_of
from craftc.training.parts.objective import CODE as OBJECTIVE_FAILED
from craftc.training.parts.objective import differentiate, leaf_of, try_backward


def blame_objective(parts: Parts, batch: Batch) -> None:
    """Called after forward or backward of this batch raised. Raises TrainingError `objective-failed` where the
    objective raises on the model's output, or in its backward; returns where it is the model's own exception.

    Runs the model again, so the training cannot go on. Of several workers nothing is tried: they would wait for each
    other.
    """
    if parts.workers.size > 1:
        return
    try:
        with torch.no_grad():
            output = parts.precision.output(partial(parts.step_calls.predict, parts.model), batch)
    except Exception:
        return
    leaf = leaf_of(parts.step_calls.given(output, batch))
    on = f"objective on {leaf.shapes}"
    with errors_of(on, code=OBJECTIVE_FAILED, hint=GUIDE):
        loss = differentiate(parts.objective, parts.objective_call, leaf)
    with errors_of(f"{on}, backward", code=OBJECTIVE_FAILED, hint=GUIDE):
        try_backward(loss, leaf.output)
