"""Reads samples from a NumPy archive."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from craftc.compiler.data_files.labels import odd_names
from craftc.compiler.data_files.npz_file import look_at_arrays
from craftc.compiler.data_files.seen import HEAD_BYTES
from craftc.components.declare import declares
from craftc.components.errors import DataError, raise_all, raised
from craftc.components.sources.columns import Column, Columns
from craftc.components.sources.exact_numbers import as_floats, rounded_wholes
from craftc.components.sources.guess_columns import are_no_classes, column_of
from craftc.components.sources.samples import ASKED_NOTHING, INPUT, TARGET, Asked, Samples, number_classes


@declares(gives=("images", "table"), gives_targets=("class", "real"), gives_columns=("x",))
def arrays(
    asked: Asked = ASKED_NOTHING, /, *, path: Path, inputs: str = "inputs", targets: str = "targets"
) -> Samples | Columns:
    """Two arrays of an .npz file: tables (N, F), grey images (N, H, W) or images with channels (N, C, H, W).

    Args:
        path: The .npz file.
        inputs: Key of the samples' numbers, which keep 64 bits where they have as many.
        targets: Key of the targets: of classes (N,) whole numbers or text, in any range; of quantities floats, (N,) or
            (N, ...); of several labels booleans, (N, C).

    Raises:
        DataError: No such file or key, numbers that are none, or shapes that do not fit.
    """
    keys = {"inputs": inputs, "targets": targets}
    raised(look_at_arrays(Path(path), str(path), keys, HEAD_BYTES).problems)
    values, labels, *aside = _read(Path(path), (inputs, targets, *asked.columns))
    warnings = rounded_wholes(values, f'"{inputs}" in {path}', "data.source.inputs")
    by_sample = dict(zip(asked.columns, aside, strict=True))
    if are_no_classes(labels):
        columns = {INPUT: Column(as_floats(values), "real"), TARGET: column_of(targets, labels, "target")}
        return Columns(columns, warnings, by_sample)
    numbers, class_names = number_classes(labels)
    if labels.dtype.kind == "U":
        warnings += raised(odd_names(class_names, ("data", "source", "targets")))
    return Samples(as_floats(values), numbers, class_names, warnings=warnings, by_sample=by_sample)


_PLACES = ("data.source.inputs", "data.source.targets")


def _read(path: Path, keys: tuple[str, ...]) -> list[NDArray[np.generic]]:
    if path.is_file() and not zipfile.is_zipfile(path):
        hint = "write it with numpy.savez(path, inputs=..., targets=...)"
        raise DataError("data-unreadable", f"{path} is no .npz file", hint, "data.source.path")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array, not named ones")
        with archive:
            missing = [(key, place) for key, place in zip(keys, _PLACES, strict=False) if key not in archive]
            missing += [(key, "data.splits") for key in keys[2:] if key not in archive]
            hint = f"it has {', '.join(archive.files) or 'none'}; name one of them"
            raise_all(
                DataError("data-unreadable", f'{path} has no array "{key}"', hint, place) for key, place in missing
            )
            return [archive[key] for key in keys]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        message = f"{path} cannot be read as .npz: {error}"
        raise DataError("data-unreadable", message, "check the path", "data.source.path") from error
