"""Reads samples from a NumPy archive."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.labels import spelled_alike
from craftc.compiler.data_files.npz_file import channels_last
from craftc.components.declare import declares
from craftc.components.errors import DataError, raised
from craftc.components.sources.exact_numbers import as_floats, rounded_wholes
from craftc.components.sources.samples import Samples, number_classes


@declares(gives=("images", "table"))
def arrays(*, path: Path, inputs: str = "inputs", targets: str = "targets") -> Samples:
    """Two arrays of an .npz file: tables (N, F), grey images (N, H, W) or images with channels (N, C, H, W).

    Args:
        path: The .npz file.
        inputs: Key of the samples' numbers, which keep 64 bits where they have as many.
        targets: Key of the class labels, (N,): whole numbers or text, in any range.

    Raises:
        DataError: No such file or key, numbers that are none, or shapes that do not fit.
    """
    values, labels = _read(Path(path), (inputs, targets))
    if values.dtype.kind not in "buif":
        raise DataError(
            "data-unreadable",
            f'"{inputs}" in {path} is of type {values.dtype}',
            "store integers or floats",
            "data.source.inputs",
        )
    if labels.dtype.kind not in "buiU" or labels.ndim != 1:
        raise DataError(
            "data-mismatch",
            f'"{targets}" in {path} is of type {labels.dtype} and shape {labels.shape}',
            "store one whole number or text per sample",
            "data.source.targets",
        )
    warnings = rounded_wholes(values, f'"{inputs}" in {path}', "data.source.inputs")
    if (last := channels_last(values.shape, inputs)) and last.severity == "error":
        raised([last])
    numbers, class_names = number_classes(labels)
    if labels.dtype.kind == "U":
        warnings += raised(spelled_alike(class_names, ("data", "source", "targets")))
    return Samples(as_floats(values), numbers, class_names, warnings=warnings)


def _read(path: Path, keys: tuple[str, str]) -> list[NDArray[np.generic]]:
    if path.is_file() and not zipfile.is_zipfile(path):
        hint = "write it with numpy.savez(path, inputs=..., targets=...)"
        raise DataError("data-unreadable", f"{path} is no .npz file", hint, "data.source.path")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array, not named ones")
        with archive:
            missing = [(key, name) for key, name in zip(keys, ("inputs", "targets"), strict=True) if key not in archive]
            if missing:
                key, argument = missing[0]
                raise DataError(
                    "data-unreadable",
                    f'{path} has no array "{key}"',
                    f"it has {', '.join(archive.files) or 'none'}; name one of them",
                    f"data.source.{argument}",
                )
            return [archive[key] for key in keys]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        message = f"{path} cannot be read as .npz: {error}"
        raise DataError("data-unreadable", message, "check the path", "data.source.path") from error
