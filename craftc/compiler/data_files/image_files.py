"""The folder of an `image_folder` source: its classes, and how many files each has."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from craftc.compiler.data_files.class_order import in_order
from craftc.compiler.data_files.seen import HEAD_BYTES, NOTHING, Seen, mistaken
from craftc.compiler.reading.problem import Problem, all_of

SPLITS = frozenset(["train", "training", "valid", "validation", "val", "dev", "test", "testing"])
"""Names, in small letters, that folders of splits have, which hold the folders of classes."""
_SUFFIXES = (
    ".apng .avif .avifs .blp .bmp .bufr .bw .cur .dcx .dds .dib .emf .eps .fit .fits .flc .fli .ftc .ftu .gbr .gif "
    ".grib .h5 .hdf .icb .icns .ico .iim .im .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpeg .mpg .mpo "
    ".msp .palm .pbm .pcd .pcx .pdf .pfm .pgm .png .pnm .ppm .ps .psd .pxr .qoi .ras .rgb .rgba .sgi .tga .tif "
    ".tiff .vda .vst .webp .wmf .xbm .xpm"
)
_ARTEFACTS = frozenset(["__MACOSX", "@eaDir", "__pycache__", "lost+found", "$RECYCLE.BIN"])
"""Folders that programs leave behind, and no classes."""
SUFFIXES = frozenset(_SUFFIXES.split())
"""Of files that Pillow opens; a plan counts them without it."""


def class_folders(root: Path) -> tuple[str, ...]:
    """The names of the classes, in their order. Raises OSError."""
    with os.scandir(root) as entries:
        return in_order(entry.name for entry in entries if _is_class(entry))


def _is_class(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and not entry.name.startswith(".") and entry.name not in _ARTEFACTS


def nested_images(root: Path, shown: str, names: Sequence[str]) -> Problem | None:
    """Images in folders within those of the classes, which are not taken."""
    for name in names:
        for inner in _visible(root / name):
            if inner.is_dir() and any(map(_is_image, _visible(Path(inner.path)))):
                message = f"{shown}/{name}/{inner.name} holds images, which are not taken: they are not right in {name}"
                hint = f"move them to {shown}/{name}, or to a folder of a class of their own"
                return Problem("image-reduced", ("data", "source", "path"), message, hint, severity="warning")
    return None


def look_at_images(root: Path, shown: str, most_bytes: int, folders: Mapping[str, str] | None = None) -> Seen:
    """The classes, and where more than a beginning is to be read the number of images, of each split too where it has a
    folder of its own. Messages call it `shown`."""
    if not root.exists():
        return NOTHING
    if not root.is_dir():
        return mistaken(f"{shown} is not a folder", "name the folder that holds one folder for each class")
    if folders:
        return _of_splits(root, shown, most_bytes, folders)
    try:
        names = class_folders(root)
        if problem := splits_for_classes(root, shown, names):
            return Seen((problem,))
        empty = next((name for name in names if not any(map(_is_image, _visible(root / name)))), "")
        nested = nested_images(root, shown, names)
        counts = [_num_images(root / name) for name in names] if most_bytes > HEAD_BYTES else []
    except OSError:
        return NOTHING
    if not names:
        return mistaken(f"{shown} holds no folder with images", "make one folder per class")
    if empty:
        return mistaken(f"{shown}/{empty} holds no image", "remove the folder or fill it")
    return Seen((nested,) if nested else (), sum(counts) if counts else None, names)


def _of_splits(root: Path, shown: str, most_bytes: int, folders: Mapping[str, str]) -> Seen:
    found: dict[str, Seen] = {}
    for split, folder in folders.items():
        if not (root / folder).is_dir():
            message, place = f"{shown}/{folder} is not a folder", ("data", "splits", "folders", split)
            return Seen((Problem("data-unreadable", place, message, f"name the folder of split {split}"),))
        found[split] = look_at_images(root / folder, f"{shown}/{folder}", most_bytes)
    problems = tuple(problem for seen in found.values() for problem in seen.problems)
    names = in_order({name for seen in found.values() for name in seen.class_names or ()})
    sizes = {split: seen.num_samples for split, seen in found.items() if seen.num_samples is not None}
    whole = sum(sizes.values()) if len(sizes) == len(folders) else None
    return Seen(problems, whole, names or None, sizes if whole is not None else None)


def splits_for_classes(root: Path, shown: str, names: Sequence[str]) -> Problem | None:
    """Folders named train and test that hold folders themselves: craftc would take the splits for the classes."""
    if not names or not all(name.lower() in SPLITS for name in names):
        return None
    within = [name for name in names if _holds_folders(root / name)]
    if not within:
        return None
    first = next((name for name in within if name.lower().startswith("train")), within[0])
    message = f"{shown} holds folders of splits ({all_of(names)}), and image_folder takes each folder for a class"
    folders = ", ".join(f"{_split_of(name)}: {name}" for name in within)
    hint = f"write data.splits: {{folders: {{{folders}}}}}, or let path be {shown}/{first} to share out those of "
    hint += f"{first} alone"
    return Problem("data-mismatch", ("data", "source", "path"), message, hint)


def _split_of(folder: str) -> str:
    """The split that a folder is likely of."""
    name = folder.lower()
    return {"training": "train", "testing": "test"}.get(name, name)


def _holds_folders(folder: Path) -> bool:
    return any(entry.is_dir() for entry in _visible(folder))


def _num_images(folder: Path) -> int:
    return sum(map(_is_image, _visible(folder)))


def _is_image(entry: os.DirEntry[str]) -> bool:
    return os.path.splitext(entry.name)[1].lower() in SUFFIXES


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
