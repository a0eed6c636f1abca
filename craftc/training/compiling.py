"""A training in, its step compiled where it is to be, or where measured times say that what remains repays it.

B: samples of a batch.
"""

import copy
import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from craftc.training.compile_finding import CompileFinding, FindingFile
from craftc.training.draws import Draws
from craftc.training.errors import TrainingError
from craftc.training.loss import Loss, LossFunction
from craftc.training.named import told_in_one_line
from craftc.training.random import step_key

log = logging.getLogger(__name__)

NUM_WARM, NUM_TIMED = 2, 9
"""Steps before and of a measurement, all of them steps of the training."""
LEAST_TRY_S = 300.0
"""Seconds of steps that must remain for a first try: it takes about 40 s, and gains are 1.3 to 2.8."""
LEAST_REPAID = 1.5
"""How many times its cost a compilation must save by what was measured before."""
LEAST_GAIN = 1.05


class Compilation:
    """Whether and when the step of one training is compiled.

    `wanted` is the key of the spec: True compiles before the first step, "auto" after some steps have been measured, if
    `num_steps`, the whole training, is long enough. `folder` keeps what is compiled, for all processes.
    """

    def __init__(
        self, wanted: object, loss: Loss, draws: Draws, device: torch.device, *, seed: int, num_steps: int
    ) -> None:
        self._wanted, self._loss, self._draws, self._device = wanted, loss, draws, device
        self._seed, self._num_steps = seed, num_steps
        self._shape: torch.Size | None = None
        self._plain: list[float] = []
        self._compiled: list[float] = []
        self._cost = 0.0
        self._is_settled = False
        self.folder: Path | None = None
        self.file: FindingFile | None = None
