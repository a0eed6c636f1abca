"""Checks that the transcripts of all samples can be written in as many steps as a model's output has."""

import torch
from torch import nn

from craftc.training.data.prepare import PreparedData
from craftc.training.foundation.errors import TrainingError
from craftc.training.parts.calls import INPUT_MASK, MeasureCall
from craftc.training.parts.model import Tried

CODE = "transcript-too-long"
STEPS_NEEDED = "steps_needed"
"""The method of an objective that says, of transcripts (N, L), in how many steps each can be written, (N,)."""


def check_transcripts(objective: nn.Module, call: MeasureCall, data: PreparedData, tried: Tried, name: str) -> None:
    """Raise TrainingError `transcript-too-long` with the first sample that has too long a transcript. Where the model
    itself returns which of its steps count, a step of the training raises."""
    steps_needed = getattr(objective, STEPS_NEEDED, None)
    mask = dict(call.named).get(INPUT_MASK)
    if steps_needed is None or mask in tried.names:
        return
    num_steps = tried.given.output.shape[1]
    for split_name, split in data.splits.items():
        needed_N = steps_needed(torch.from_numpy(split.targets))
        steps_N = torch.full_like(needed_N, num_steps)
        if mask is not None and (counted := split.columns[mask].values).shape[1:] == (num_steps,):
            steps_N = torch.from_numpy(counted.sum(1))
        too_long = (needed_N > steps_N).nonzero().flatten().tolist()
        if too_long:
            first = too_long[0]
            message = (
                f"{name} writes a token a step, and a blank between two that are alike: "
                f"{_named(first, split_name, data)} needs {int(needed_N[first])} steps, and the model has "
                f"{int(steps_N[first])} of it"
            )
            others = f", and of {len(too_long) - 1:,} others too few" if len(too_long) > 1 else ""
            raise TrainingError(CODE, f"{message}{others}; let the model keep more steps, or leave such samples out")


def _named(place: int, split: str, data: PreparedData) -> str:
    """A sample of a split, by its id or its number in the source where it is drawn from one."""
    drawn = {} if data.document is None else data.document["splits"].get(split, {})
    if "ids" in drawn:
        return f'sample "{drawn["ids"][place]}"'
    if "indices" in drawn:
        return f"sample {drawn['indices'][place]} (from 0)"
    return f"sample {place} (from 0) of {split}"
