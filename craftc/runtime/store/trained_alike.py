"""Finds the finished trials of one set of weights: an empty file `<store>/by_weights/<fingerprint>/<trial>` for each.

The file is made when the result of a trial is written, and says nothing by itself: who looks it up asks the store
whether the trial is finished. What a crash loses is trained again; a store of earlier versions has none.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

FOLDER = "by_weights"


def note(root: Path, weights: str, trial: str) -> None:
    """Enter a trial of a store. Where that cannot be written, the trial is trained again some day."""
    with suppress(OSError):
        folder = root / FOLDER / weights
        folder.mkdir(parents=True, exist_ok=True)
        (folder / trial).touch()


def finished_with(root: Path, is_finished: Callable[[str], bool]) -> Callable[[str], str | None]:
    """From a fingerprint of weights to a finished trial of a store whose best weights are there."""

    def find(weights: str) -> str | None:
        names = [path.name for path in sorted(_listed(root / FOLDER / weights))]
        usable = [name for name in names if has(name, "best.pt") and is_finished(name)]
        # A metric that is added is measured of the last weights, too, which a trial that was read off does not keep.
        return next((name for name in usable if has(name, "last.pt")), usable[0] if usable else None)

    def has(name: str, checkpoint: str) -> bool:
        return (root / name / "checkpoints" / checkpoint).is_file()

    return find


def entries(root: Path) -> Iterator[tuple[str, Path]]:
    """Every trial that is entered, with its file."""
    for folder in sorted(_listed(root / FOLDER)):
        for path in sorted(_listed(folder)):
            yield path.name, path


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
