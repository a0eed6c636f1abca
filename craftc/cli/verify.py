"""craftc verify: whether the files of the store and the runs are as they were written."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.parameters import RUN, OneOf, command, option, runs_dir
from craftc.cli.show_diagnostics import count

if TYPE_CHECKING:
    from craftc.schemas.store_health import CheckedFile, Health


class Format(StrEnum):
    """How it is told."""

    TEXT = "text"
    JSON = "json"


WOULD = {
    "set-aside": "--fix renames it to {name}.damaged",
    "cut": "--fix keeps the lines before, and the whole as {name}.damaged",
    "rewrite": "--fix writes it again from a plan",
    "remove": "--fix removes it, and it is made again",
    None: "nothing mends it; running the spec again makes another run",
}
DID = {
    "set-aside": "renamed to {name}.damaged",
    "cut": "cut to the lines before; the whole is {name}.damaged",
    "rewrite": "written again from a plan",
    "remove": "removed; it is made again",
    "seal": "sealed",
}


@command()
@click.argument("run", type=RUN, required=False, help="A run's folder, NAME/RUN, or NAME for its latest; all without.")
@option("--fix", is_flag=True, help="Mend what can be mended, and seal what an earlier version wrote.")
@option("--format", type=OneOf(Format), default="text", help="How it is told.")
@runs_dir
def verify(run: str | None, fix: bool, format: Format, runs_dir: Path) -> None:
    """Tell whether every file that a number comes from is as it was written; with --fix, mend what is not.

    Checks the trials of the store with their checkpoints, prepared data and runs, by the seals in the files. A damaged
    result is renamed by --fix: the next craftc run trains its trial again, from its last sound state. Nothing that is
    sound is removed.

    Exit 0 when no damage is left, 1 when there is some, 2 when there is no such folder or run.

    Example: `craftc verify --fix`
    """
    from craftc.runtime.store.run_folder import find_run
    from craftc.runtime.verifying.verify import verify as check

    try:
        folder = None if run is None else find_run(run, runs_dir)
    except FileNotFoundError as error:
        click.echo(str(error), err=True)
        raise Exit(2) from None
    root = runs_dir if folder is None else folder.resolve().parent.parent
    if not root.is_dir():
        click.echo(f'there is no folder "{root}"; name the folder of results with --runs-dir', err=True)
        raise Exit(2)
    try:
        health = check(root, folder if folder is None else root / folder.resolve().relative_to(root), fix=fix)
    except OSError as error:
        click.echo(f'cannot read "{error.filename}": {error.strerror or error}', err=True)
        raise Exit(1) from None
    if format is Format.JSON:
        click.echo(health.model_dump_json(indent=2))
    else:
        _print(health)
    if not health.is_sound:
        raise Exit(1)


def _print(health: "Health") -> None:
    for file in health.damaged:
        click.echo(f"{file.path}: {file.fault}; {_then(file)}")
    for file in health.unsealed:
        if file.left_because is not None:
            click.echo(f"{file.path}: has no seal; it stays: {file.left_because}")
    what = [(health.trials, "trial"), (health.runs, "run"), (health.prepared, "set")]
    trials, runs, prepared = (count(num, name) for num, name in what)
    mended = sum(file.mended for file in health.damaged)
    told = [f"{count(health.sound, 'file')} sound", f"{len(health.damaged)} damaged"]
    told += [f"{mended} of them mended"] if mended else []
    if health.unsealed:
        sealed = sum(file.mended for file in health.unsealed)
        known = f", {sealed} sealed now" if sealed else "; --fix seals them"
        told.append(f"{len(health.unsealed)} of an earlier version without a seal{known}")
    click.echo(f"{trials}, {runs} and {prepared} of prepared data: {', '.join(told)}")


def _then(file: "CheckedFile") -> str:
    name = file.path.rpartition("/")[2]
    if file.mended:
        return DID[str(file.mend)].format(name=name)
    if file.left_because is not None:
        return f"it stays: {file.left_because}"
    return WOULD[file.mend].format(name=name)
