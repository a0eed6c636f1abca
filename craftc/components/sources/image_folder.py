"""Reads samples from a folder of image files, with one folder per class."""

from collections import Counter
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray
from PIL import Image

from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.image_files import class_folders, nested_images, splits_for_classes
from craftc.compiler.data_files.labels import spelled_alike
from craftc.components.bounds import PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError, DataWarning, added_to, raise_all, raised
from craftc.components.sources.image_channels import Color, UnknownScaleError, channels, has_transparency, upright
from craftc.components.sources.samples import ASKED_NOTHING, Asked, Samples

HeightAndWidth = Annotated[list[PositiveInt], Len(2, 2)]
_PATH = "data.source.path"
MOST_UNREADABLE = 20
"""Images that cannot be read, after which no more are tried: the folder is probably another than is meant."""


@declares(gives=("images",), gives_targets=("class",), gives_columns=("x",))
def image_folder(
    asked: Asked = ASKED_NOTHING, /, *, path: Path, size: PositiveInt | HeightAndWidth = 32, color: Color = "grey"
) -> Samples:
    """Images from one folder per class; the folder's name is the class's. Scaled to 0..1.

    Classes are numbered in the order of their names: whole numbers by value, others as text. Files are taken in the
    order of their names; those that begin with a dot or have no image's suffix are passed over. Images are turned as
    their EXIF orientation says; transparency is left out, and of several frames the first is taken, both with a
    warning. 16-bit grey images keep their depth; floating-point ones are to be within 0..1.

    Args:
        path: Folder that holds the class folders.
        size: Height and width, in pixels, that every image is resized to; one number for a square.
        color: grey gives (N, H, W), rgb gives (N, 3, H, W).

    Raises:
        DataError: No such folder, no class or image in it, or an image that cannot be read or scaled.
    """
    root = Path(path)
    height, width = (size, size) if isinstance(size, int) else size
    if not root.is_dir():
        raise DataError("data-unreadable", f"{root} is not a folder", "check the path", _PATH)
    raise_all(
        DataError("data-unreadable", f"{root / inner} is not a folder", "check its name", "data.splits.folders")
        for inner in asked.folders.values()
        if not (root / inner).is_dir()
    )
    roots = {split: root / inner for split, inner in asked.folders.items()} or {"": root}
    names = in_order({name for inner in roots.values() for name in class_folders(inner)})
    if not asked.folders and (mistake := splits_for_classes(root, str(root), names)):
        raised([mistake])
    errors: list[DataError] = []
    found: list[tuple[Path, int, str]] = []
    of_class = [(split, inner / name, label) for split, inner in roots.items() for label, name in enumerate(names)]
    for split, folder, label in of_class:
        with added_to(errors):
            found += [(file, label, split) for file in (_image_files(folder) if folder.is_dir() else ())]
    raise_all(errors)
    files = [(file, label) for file, label, _ in found]
    if not files:
        raise DataError("data-unreadable", f"{root} holds no folder with images", "make one folder per class", _PATH)
    pictures = read_pictures([(file, str(file)) for file, _ in files], height, width, color)
    targets = np.array([label for _, label in files], dtype=np.int64)
    nested = [
        problem
        for inner in roots.values()
        if (problem := nested_images(inner, str(inner), [name for name in names if (inner / name).is_dir()]))
    ]
    alike = raised([*spelled_alike(names, ("data", "source", "path")), *nested])
    warnings = alike + noted([str(file) for file, _ in files], pictures)
    by_sample = _by_sample(root, found)
    values = np.stack([picture.values for picture in pictures])
    return Samples(values, targets, names, warnings=warnings, by_sample=by_sample)


def _by_sample(root: Path, found: Sequence[tuple[Path, int, str]]) -> dict[str, NDArray[np.str_]]:
    """`id` and `file`: its path within the folder; `folder`: that which it is in; `split`, where folders say it."""
    names = [file.relative_to(root).as_posix() for file, _, _ in found]
    columns = {"id": names, "file": names, "folder": [name.rpartition("/")[0] for name in names]}
    if any(split for _, _, split in found):
        columns["split"] = [split for _, _, split in found]
    return {name: np.array(values) for name, values in columns.items()}


def _image_files(folder: Path) -> list[Path]:
    suffixes = Image.registered_extensions()
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith("."))
    if not files:
        raise DataError("data-unreadable", f"{folder} holds no image", "remove the folder or fill it", _PATH)
    return files


class Picture(NamedTuple):
    """An image: `values` are (H, W) or (3, H, W). `notes`: what of the file is left out."""

    values: NDArray[np.float32]
    notes: tuple[str, ...]


def read_picture(file: Path | BytesIO, shown: str, height: int, width: int, color: Color) -> Picture:
    """An image that is resized and scaled to 0..1; messages call it `shown`. Raises DataError."""
    try:
        with Image.open(file) as image:
            num_frames = getattr(image, "n_frames", 1)
            # A camera's file may hold a preview as its second picture.
            notes = ["holds several images: the first is taken"] if num_frames > 1 and image.format != "MPO" else []
            notes += ["is transparent in places: its alpha is left out"] if has_transparency(image) else []
            parts = channels(upright(image), color)
    except UnknownScaleError as error:
        hint = "save it with 8 or 16 bits, or as floating-point numbers from 0 to 1"
        raise DataError("data-unreadable", f"{shown} cannot be scaled to 0..1: {error}", hint, _PATH) from error
    except Exception as error:  # damaged files bring about exceptions of many kinds
        message = f"{shown} cannot be read as an image: {error or type(error).__name__}"
        raise DataError("data-unreadable", message, "remove the file", _PATH) from error
    bilinear = Image.Resampling.BILINEAR
    resized = [np.asarray(Image.fromarray(part).resize((width, height), bilinear)) for part in parts]
    return Picture(resized[0] if color == "grey" else np.stack(resized), tuple(notes))


def read_pictures(files: Iterable[tuple[Path | BytesIO, str]], height: int, width: int, color: Color) -> list[Picture]:
    """All of them, each with what messages call it. Raises DataError with the first few that cannot be read."""
    pictures: list[Picture] = []
    errors: list[DataError] = []
    for file, shown in files:
        with added_to(errors):
            pictures.append(read_picture(file, shown, height, width, color))
        if len(errors) == MOST_UNREADABLE:
            break
    raise_all(errors)
    return pictures


def noted(files: Sequence[str], pictures: Sequence[Picture]) -> tuple[DataWarning, ...]:
    """One warning for each thing that was left out, however many files it was left out of."""
    counts = Counter(note for picture in pictures for note in picture.notes)
    firsts = {note: next(f for f, p in zip(files, pictures, strict=True) if note in p.notes) for note in counts}
    return tuple(
        DataWarning("image-reduced", f"{firsts[note]} {note}{_others(count - 1)}", "", _PATH)
        for note, count in counts.items()
    )


def _others(count: int) -> str:
    return f"; so it is with {count:,} more file{'' if count == 1 else 's'}" if count else ""
