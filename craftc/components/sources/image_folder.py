"""Reads samples from a folder of image files, with one folder per class."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from craftc.components.bounds import PositiveInt
from craftc.components.declare import declares
from craftc.components.errors import DataError
from craftc.components.sources.samples import Samples

HeightAndWidth = Annotated[list[PositiveInt], Len(2, 2)]


@declares(gives=("images",))
def image_folder(
    *, path: Path, size: PositiveInt | HeightAndWidth = 32, color: Literal["grey", "rgb"] = "grey"
) -> Samples:
    """Images from one folder per class; the folder's name is the class's. Scaled to 0..1.

    Files are taken in the order of their names; those that begin with a dot or have no image's suffix are passed over.
    16-bit grey images keep their depth.

    Args:
        path: Folder that holds the class folders.
        size: Height and width, in pixels, that every image is resized to; one number for a square.
        color: grey gives (N, H, W), rgb gives (N, 3, H, W).

    Raises:
        DataError: No such folder, no class or image in it, or an image that cannot be read.
    """
    root = Path(path)
    height, width = (size, size) if isinstance(size, int) else size
    if not root.is_dir():
        raise DataError("data-unreadable", f"{root} is not a folder", "check the path", "data.source.path")
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    files = [(file, label) for label, folder in enumerate(folders) for file in _image_files(folder)]
    if not files:
        raise DataError(
            "data-unreadable", f"{root} holds no folder with images", "make one folder per class", "data.source.path"
        )
    images = np.stack([_read(file, height, width, color) for file, _ in files])
    targets = np.array([label for _, label in files], dtype=np.int64)
    return Samples(images, targets, tuple(folder.name for folder in folders))


def _image_files(folder: Path) -> list[Path]:
    suffixes = Image.registered_extensions()
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in suffixes and not f.name.startswith("."))
    if not files:
        raise DataError(
            "data-unreadable", f"{folder} holds no image", "remove the folder or fill it", "data.source.path"
        )
    return files


def _read(file: Path, height: int, width: int, color: str) -> NDArray[np.float32]:
    try:
        with Image.open(file) as image:
            channels = _channels(image, color)
    except (OSError, UnidentifiedImageError, ValueError) as error:
        message = f"{file} cannot be read as an image: {error}"
        raise DataError("data-unreadable", message, "remove the file", "data.source.path") from error
    resized = [
        np.asarray(Image.fromarray(channel).resize((width, height), Image.Resampling.BILINEAR)) for channel in channels
    ]
    return resized[0] if color == "grey" else np.stack(resized)


def _channels(image: Image.Image, color: str) -> list[NDArray[np.float32]]:
    """Each channel as float32 from 0 to 1, (H, W)."""
    if image.mode.startswith("I"):  # 16 bits; Pillow would clip them on the way to 8
        grey = np.asarray(image).astype(np.float32) / np.float32(65535)
        return [grey] if color == "grey" else [grey, grey, grey]
    values = np.asarray(image.convert("L" if color == "grey" else "RGB")).astype(np.float32) / np.float32(255)
    return [values] if color == "grey" else [np.ascontiguousarray(values[..., channel]) for channel in range(3)]
