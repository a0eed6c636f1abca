"""Keeps what a forward and a backward change beside the gradients, and puts it back."""

import random
from collections.abc import Sequence

import numpy as np
from torch import nn


class KeptState:
    """Buffers of modules, gradients and the random numbers of Python and numpy, as they are when it is made. A step
    seeds torch's own."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = modules
        self._buffers = [
            (owner, name, buffer, buffer.clone())
            for module in modules
            for owner in module.modules()
            for name, buffer in owner.named_buffers(recurse=False, remove_duplicate=False)
        ]
        self._states = random.getstate(), np.random.get_state()

    def restore(self) -> None:
        """Put all of it back; gradients are none."""
        random.setstate(self._states[0])
        np.random.set_state(self._states[1])
        for owner, name, buffer, kept in self._buffers:
            buffer.copy_(kept)
            # A model may have put another tensor in its place.
            setattr(owner, name, buffer)
        for module in self._modules:
            module.zero_grad()
