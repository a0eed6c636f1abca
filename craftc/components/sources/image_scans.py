"""Makes scans of a probe microscope from images of an .npz file: a window of lines, with drift of gain and offset.

N: images, K: copies of each, H: lines, W: pixels of a line.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import MinLen
from numpy.typing import NDArray

from craftc.components.bounds import NonNegativeFloat, NonNegativeInt, PositiveInt, Seed
from craftc.components.declare import declares
from craftc.components.errors import DataError
from craftc.components.sources.arrays import arrays
from craftc.components.sources.samples import Samples

_CHOICE_STREAM, _WINDOW_STREAM, _OFFSET_STREAM, _GAIN_STREAM = 1, 2, 3, 4


@declares(gives=("images",), gives_targets=("class",), gives_columns=("x",))
def image_scans(
    *,
    path: Path,
    per_class: Annotated[list[NonNegativeInt], MinLen(1)] | Literal["all"] = "all",
    merge_classes: Annotated[list[NonNegativeInt], MinLen(1)] | Literal["none"] = "none",
    copies: PositiveInt = 1,
    magnify: PositiveInt = 1,
    window: PositiveInt | Literal["all"] = "all",
    window_start: Literal["top", "random"] = "top",
    line_offset: NonNegativeFloat = 0.0,
    line_gain: NonNegativeFloat = 0.0,
    seed: Seed = 0,
) -> Samples:
    """Scans of the grey images of an .npz file with `inputs` (N, H, W) and `targets` (N,), whole numbers or text.

    An image is left out where all its pixels are alike. Each scan has a `scan`, the number of its image: with
    `splits: {group: scan}` the copies of one image stay on one side.

    Args:
        path: The .npz file.
        per_class: Images of each class that are drawn, in the order of classes; those behind the list are left out.
        merge_classes: The new class, from 0, of each class that is kept; none leaves them as they are.
        copies: Scans of each image, each with a window and a drift of its own.
        magnify: Pixels that each pixel becomes in both directions: a finer scan of the same image.
        window: Consecutive lines that a scan has, as of a scan that is stopped, or begun late.
        window_start: top: from the first line; random: from any line where the window fits.
        line_offset: Standard deviation of the step from line to line of a random walk that is added, in units of the
            images' range.
        line_gain: Standard deviation of such a walk of the logarithm of each line's gain.
        seed: Seed of the images, windows and drift.

    Raises:
        DataError: Counts, classes or a window that do not fit the images.
    """
    read = arrays(path=path)
    if not isinstance(read, Samples) or read.inputs.ndim != 3:
        raise _mismatch(
            "the images are no grey images (N, H, W) with classes", "store inputs (N, H, W) and targets (N,)"
        )
    kept = _drawn(read, per_class, seed)
    targets, names = _merged(read.targets[kept], read.class_names, per_class, merge_classes)
    images = read.inputs[kept].repeat(magnify, axis=1).repeat(magnify, axis=2).repeat(copies, axis=0)
    scans = _windows(images, window, window_start, seed).astype(np.float32)
    shape, span = scans.shape[:2], float(np.ptp(scans))
    gains = np.exp(_walks(shape, line_gain, seed, _GAIN_STREAM))
    drifted = scans * gains + span * _walks(shape, line_offset, seed, _OFFSET_STREAM)
    return Samples(drifted.astype(np.float32), targets.repeat(copies), names, by_sample={"scan": kept.repeat(copies)})


def _drawn(read: Samples, per_class: list[int] | str, seed: int) -> NDArray[np.int64]:
    """The numbers of the images that are kept, in their order."""
    flat = read.inputs.reshape(len(read), -1)
    order = np.flatnonzero(flat.max(1) > flat.min(1))
    if isinstance(per_class, str):
        return order
    if len(per_class) > len(read.class_names):
        raise _mismatch(
            f"per_class has {len(per_class)} numbers for {len(read.class_names)} classes", "give one of each class"
        )
    order = _draws(seed, _CHOICE_STREAM).permutation(order)
    chosen = []
    for label, count in enumerate(per_class):
        of_class = order[read.targets[order] == label]
        if len(of_class) < count:
            name = read.class_names[label]
            raise _mismatch(f"per_class asks for {count} images of {name}, of {len(of_class)}", "ask for fewer")
        chosen.append(of_class[:count])
    return np.sort(np.concatenate(chosen))


def _merged(
    targets: NDArray[np.int64], names: tuple[str, ...], per_class: list[int] | str, merge: list[int] | str
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    names = names if isinstance(per_class, str) else names[: len(per_class)]
    if isinstance(merge, str):
        return targets, names
    if len(merge) != len(names) or set(merge) != set(range(max(merge) + 1)):
        raise _mismatch(
            f"merge_classes {merge} does not give each of {len(names)} classes a new one, counted from 0 without a gap",
            f"give {len(names)} numbers",
            "data.source.merge_classes",
        )
    joined = tuple(
        "+".join(n for n, to in zip(names, merge, strict=True) if to == new) for new in range(max(merge) + 1)
    )
    return np.array(merge, dtype=np.int64)[targets], joined


def _windows(
    images: NDArray[np.float32] | NDArray[np.float64], window: int | str, start: str, seed: int
) -> NDArray[np.float32] | NDArray[np.float64]:
    height = images.shape[1]
    if isinstance(window, str):
        return images
    if window > height:
        raise _mismatch(
            f"a window of {window} lines of images of {height}", "make it smaller, or magnify", "data.source.window"
        )
    if start == "top":
        return images[:, :window]
    first_N = _draws(seed, _WINDOW_STREAM).randint(0, height - window + 1, len(images))
    lines_NH = first_N[:, None] + np.arange(window)
    cut: NDArray[np.float32] | NDArray[np.float64] = images[np.arange(len(images))[:, None], lines_NH]
    return cut


def _walks(shape: tuple[int, ...], step: float, seed: int, stream: int) -> NDArray[np.float64]:
    """(N, H, 1)."""
    if step == 0:
        return np.zeros((1, 1, 1))
    # Rounding hides the last bit, in which the logarithms of C libraries differ.
    walks: NDArray[np.float64] = np.cumsum(np.round(_draws(seed, stream).standard_normal(shape), 6), axis=1) * step
    return walks[..., None]


def _draws(seed: int, stream: int) -> np.random.RandomState:
    # RandomState, whose streams are frozen across numpy versions.
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, stream])))


def _mismatch(message: str, hint: str, place: str = "data.source.per_class") -> DataError:
    return DataError("data-mismatch", message, hint, place)
