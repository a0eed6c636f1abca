"""Makes lines of several digits from images of one, to be read as transcripts.

N: lines, T: columns of pixels of the longest line, H: lines of pixels.
"""

import numpy as np

from craftc.components.bounds import Seed
from craftc.components.declare import declares
from craftc.components.sources.bundled import digits
from craftc.components.sources.columns import BLANK, Column, Columns

_NAMES = ("<blank>", *"0123456789")
_LONGEST = 5


@declares(
    gives=("images",),
    gives_targets=("transcript",),
    gives_columns=("x", "mask"),
    facts={
        "num_samples": 595,
        "num_classes": 11,
        "num_features": 320,
        "num_lines": 40,
        "line_length": 8,
        "num_channels": 1,
        "image_height": 40,
        "image_width": 8,
    },
)
def digit_lines(*, seed: Seed = 0) -> Columns:
    """595 lines of handwriting, 119 each of 1 to 5 digits side by side (scikit-learn's, each used once), in 0..1.

    The target `targets` is a transcript: the digits from left to right, as classes 1 to 10; 0 is the blank. A sample is
    read from left to right: the columns of pixels are its steps, (40, 8), and `mask` says which of them are of digits,
    8 each.

    Args:
        seed: Seed of which digits are in a line, and of which length it is.
    """
    single = digits()
    num, height, width = len(single) * 2 // (_LONGEST * (_LONGEST + 1)) * _LONGEST, *single.inputs.shape[1:]
    # RandomState, whose streams are frozen across numpy versions.
    draws = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    lengths_N = draws.permutation(np.arange(num) % _LONGEST + 1)
    order = draws.permutation(len(single))[: lengths_N.sum()]
    is_digit_NL = np.arange(_LONGEST) < lengths_N[:, None]
    targets_NL = np.full(is_digit_NL.shape, BLANK, dtype=np.int64)
    targets_NL[is_digit_NL] = single.targets[order] + 1
    columns = np.zeros((*is_digit_NL.shape, width, height), dtype=single.inputs.dtype)
    columns[is_digit_NL] = single.inputs[order].transpose(0, 2, 1)
    return Columns(
        {
            "x": Column(columns.reshape(num, _LONGEST * width, height), "real"),
            "mask": Column(np.repeat(is_digit_NL, width, axis=1), "mask", "mask"),
            "targets": Column(targets_NL, "transcript", "target", _NAMES),
        }
    )
