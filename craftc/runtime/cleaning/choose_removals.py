"""Chooses what of a runs folder to remove, by what the user asked for. Removes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from craftc.runtime.cleaning.disk_usage import File, files_of, freed_size, total_size
from craftc.runtime.cleaning.read_contents import CHECKPOINTS, COMPILED, PREPARED, Shelf, checkpoint_files
from craftc.runtime.cleaning.references import STORE
from craftc.schemas.store_contents import Removal, RemovalKind, StoredRun


@dataclass(frozen=True)
class Wish:
    """What is to go. `keep` is how many runs of each name in `runs` stay, the latest; `changed_before`, in seconds
    since 1970, spares whatever a file of was written after that. `in_specs` are the fingerprints that specs name."""

    orphaned: bool = False
    checkpoints: Literal["last", "all"] | None = None
    runs: tuple[str, ...] = ()
    keep: int = 0
    prepared: bool = False
    compiled: bool = False
    changed_before: float | None = None
    in_specs: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Nothing is to go."""
        return not (self.orphaned or self.checkpoints or self.runs or self.prepared or self.compiled)


def choose_removals(shelf: Shelf, wish: Wish) -> list[Removal]:
    """In the order in which they are removed: a run goes before the trials that only it names."""
    if wish.is_empty:
        return []
    gone = {f"{run.experiment}/{run.name}" for run in _runs(shelf, wish) if run.life == "ended"}
    orphaned = _orphaned(shelf, wish, gone) if wish.orphaned else frozenset()
    leftovers = [str(path.relative_to(shelf.runs_dir)) for path in shelf.leftovers]
    return [
        *(_removal(shelf, "leftover", path, path.rpartition("/")[2]) for path in leftovers),
        *(_removal(shelf, "run", name, name) for name in sorted(gone)),
        *(_removal(shelf, "trial", f"{STORE}/{trial}", trial) for trial in shelf.trials if trial in orphaned),
        *_checkpoints(shelf, wish, orphaned),
        *_prepared(shelf, wish, orphaned),
        *_compiled(shelf, wish),
    ]


def spared_runs(shelf: Shelf, wish: Wish) -> list[StoredRun]:
    """Runs that were meant and stay, since they live or may live."""
    return [run for run in _runs(shelf, wish) if run.life != "ended"]


def freed(shelf: Shelf, removals: Iterable[Removal]) -> int:
    """The bytes that go with all of them together."""
    return freed_size(file for removal in removals for file in _files(shelf, removal))


def _runs(shelf: Shelf, wish: Wish) -> Iterator[StoredRun]:
    for name in dict.fromkeys(wish.runs):
        of_name = sorted((run for run in shelf.runs.values() if run.experiment == name), key=lambda run: run.name)
        for run in of_name[: max(0, len(of_name) - wish.keep)]:
            if _is_old(wish, run.changed_at):
                yield run


def _orphaned(shelf: Shelf, wish: Wish, gone: set[str]) -> frozenset[str]:
    """Trials and prepared data that nothing names any more once the runs in `gone` are."""
    left = set(wish.in_specs)
    for run, named in shelf.named.items():
        if f"{run.parent.name}/{run.name}" not in gone:
            left |= named
    trials = (trial.id for trial in shelf.trials.values() if _is_old(wish, trial.changed_at))
    return frozenset(name for name in (*trials, *shelf.prepared) if name not in left)


def _checkpoints(shelf: Shelf, wish: Wish, orphaned: frozenset[str]) -> Iterator[Removal]:
    """Of finished trials alone: an unfinished one goes on from its own. The last only where there is a best."""
    kind: RemovalKind = "all-checkpoints" if wish.checkpoints == "all" else "last-checkpoint"
    for trial in shelf.trials.values() if wish.checkpoints else ():
        folder = shelf.store.folder(trial.id)
        if trial.state != "finished" or trial.id in orphaned or not _is_old(wish, trial.changed_at):
            continue
        if checkpoint_files(folder, wish.checkpoints or "last") and (
            wish.checkpoints == "all" or (folder / CHECKPOINTS / "best.pt").exists()
        ):
            yield _removal(shelf, kind, f"{STORE}/{trial.id}/{CHECKPOINTS}", trial.id)


def _prepared(shelf: Shelf, wish: Wish, orphaned: frozenset[str]) -> Iterator[Removal]:
    for name in shelf.prepared:
        removal = _removal(shelf, "prepared", f"{STORE}/{PREPARED}/{name}", name)
        changed_at = max((file.changed_at for file in _files(shelf, removal)), default=0.0)
        if (wish.prepared or name in orphaned) and _is_old(wish, changed_at):
            yield removal
    for path in shelf.torn if wish.prepared else ():
        yield _removal(shelf, "prepared", f"{STORE}/{PREPARED}/{path.name}", path.name.split(".")[1])


def _compiled(shelf: Shelf, wish: Wish) -> Iterator[Removal]:
    for name in COMPILED if wish.compiled else ():
        removal = _removal(shelf, "compiled", f"{STORE}/{name}", name)
        changed_at = [file.changed_at for file in _files(shelf, removal)]
        if changed_at and _is_old(wish, max(changed_at)):
            yield removal


def _removal(shelf: Shelf, kind: RemovalKind, path: str, name: str) -> Removal:
    removal = Removal(kind=kind, path=path, name=name, size=0)
    return removal.model_copy(update={"size": total_size(_files(shelf, removal))})


def _files(shelf: Shelf, removal: Removal) -> Iterator[File]:
    path = shelf.runs_dir / removal.path
    match removal.kind:
        case "last-checkpoint" | "all-checkpoints":
            which: Literal["last", "all"] = "last" if removal.kind == "last-checkpoint" else "all"
            for file in checkpoint_files(path.parent, which):
                yield from files_of(file)
        case _:
            yield from files_of(path)


def _is_old(wish: Wish, changed_at: float) -> bool:
    return wish.changed_before is None or changed_at < wish.changed_before
