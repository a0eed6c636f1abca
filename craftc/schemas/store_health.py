"""What `craftc verify` found: the files of a runs folder that are damaged or have no seal."""

from typing import Literal

from craftc.schemas.frozen import Frozen, List

Mend = Literal["seal", "set-aside", "cut", "rewrite", "remove"]
"""What `--fix` does with a file: it is sealed as it is; renamed to NAME.damaged, which nothing reads; kept up to the
first line that is damaged; written anew from what is known elsewhere; removed, since it is made again."""


class CheckedFile(Frozen):
    """A file that is not as a run writes it today. `fault` says why it is damaged; None of one without a seal.

    `path` starts from the runs folder. `mend` is what mends it, None where nothing does; `mended` whether that was
    done, and `left_because` why not where that was asked for.
    """

    path: str
    state: Literal["damaged", "unsealed"]
    fault: str | None = None
    mend: Mend | None = None
    mended: bool = False
    left_because: str | None = None


class Health(Frozen):
    """The state of a runs folder, or of one of its runs. `sound` counts the files that are as they were written."""

    format_version: Literal["1.0"] = "1.0"
    runs_dir: str
    trials: int
    runs: int
    prepared: int
    sound: int
    files: List[CheckedFile]

    @property
    def damaged(self) -> tuple[CheckedFile, ...]:
        """Those that are damaged, mended or not."""
        return tuple(file for file in self.files if file.state == "damaged")

    @property
    def unsealed(self) -> tuple[CheckedFile, ...]:
        """Those without a seal, sealed since or not."""
        return tuple(file for file in self.files if file.state == "unsealed")

    @property
    def is_sound(self) -> bool:
        """Whether no damage is left."""
        return all(file.mended for file in self.damaged)
