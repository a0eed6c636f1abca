"""What can be seen of a source's files without numpy."""

from dataclasses import dataclass

from craftc.compiler.data_files.column_roles import TableColumn
from craftc.compiler.reading.problem import Problem
from craftc.schemas.catalogue import TargetKind

HEAD_BYTES = 64 * 1024
"""Read of a table when linting: its header, and of a small one all rows."""
MOST_BYTES = 64 * 2**20
"""A table that is larger is not counted: planning takes a second for as much."""


@dataclass(frozen=True)
class Seen:
    """`num_samples` and `class_names`, in their order, are None where only a part was read; `split_sizes` where the
    files do not say which split a sample is in; `target`, the kind of the target, where they do not show it. `columns`
    are those of a table whose columns have roles, counted in what was read."""

    problems: tuple[Problem, ...] = ()
    num_samples: int | None = None
    class_names: tuple[str, ...] | None = None
    split_sizes: dict[str, int] | None = None
    target: TargetKind | None = None
    columns: tuple[TableColumn, ...] = ()


NOTHING = Seen()


def single_class(seen: Seen) -> Problem | None:
    """Samples that are all of one class, where all of them were seen."""
    if seen.class_names is None or len(seen.class_names) != 1:
        return None
    samples = "all samples" if seen.num_samples is None else f"all {seen.num_samples:,} samples"
    message = f"{samples} are of one class, {seen.class_names[0]}"
    return Problem("single-class", ("data", "source"), message, "there is nothing to tell apart; check the labels")


def mistaken(message: str, hint: str, argument: str = "path") -> Seen:
    """A file that is not what the source reads."""
    return Seen((Problem("data-unreadable", ("data", "source", argument), message, hint),))
