"""A model that says when it takes its first training step, for benchmarks/start_up.py."""

import os
import time
from pathlib import Path

from torch import Tensor

from craftc.components.bounds import PositiveInt
from craftc.components.models.scanline_vit import ScanlineViT

FIRST_STEP = "CRAFTC_BENCHMARK_FIRST_STEP"
"""The variable that names the file to which the time is written."""


class Told(ScanlineViT):
    """A small `scanline_vit`; its first forward pass in training is written down.

    Args:
        num_lines: Lines of an image.
        line_length: Values of a line, all channels together.
        num_classes: Logits of one image.
    """

    def __init__(self, *, num_lines: PositiveInt, line_length: PositiveInt, num_classes: PositiveInt) -> None:
        sizes = {"num_lines": num_lines, "line_length": line_length, "num_classes": num_classes}
        super().__init__(**sizes, d_model=16, num_layers=2, num_heads=4, d_ffn=32)
        self.is_told = False

    def forward(self, x: Tensor) -> Tensor:
        """See ScanlineViT."""
        if self.training and not self.is_told:
            self.is_told = True
            with Path(os.environ[FIRST_STEP]).open("a", encoding="utf-8") as file:
                file.write(f"{time.time()}\n")
        return super().forward(x)
