"""craftc clean: what the runs folder holds, and what of it may go."""

import re
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from craftc.cli.inputs.read_spec import read_spec
from craftc.cli.parameters import PATH, OneOf, command, option, runs_dir
from craftc.compiler.composing.included_files import is_yaml
from craftc.schemas.diagnostic import Diagnostic

if TYPE_CHECKING:
    from craftc.runtime.cleaning.choose_removals import Wish
    from craftc.runtime.cleaning.read_contents import Shelf
    from craftc.schemas.store_contents import Cleaning, Removal

_SPEC = re.compile(r"""^(craftc|"craftc"|'craftc'|\{.*craftc.*)\s*:""", re.MULTILINE)
SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Format(StrEnum):
    """How it is told."""

    TEXT = "text"
    JSON = "json"


class Checkpoints(StrEnum):
    """Which checkpoints of finished trials go."""

    LAST = "last"
    ALL = "all"


@command()
@option("--orphaned", is_flag=True, help="Remove trials and prepared data that no run and no --specs names.")
@option("--checkpoints", type=OneOf(Checkpoints), help="Remove checkpoints of finished trials: last keeps the best.")
@option("--runs", multiple=True, metavar="NAME", help="Remove runs of this name; needs --keep or --older-than.")
@option("--keep", type=click.IntRange(min=0), metavar="N", help="How many of --runs stay, the latest.")
@option("--prepared", is_flag=True, help="Remove all prepared data; it is made again.")
@option("--compiled", is_flag=True, help="Remove compiled steps and what was measured; it is found out again.")
@option("--older-than", metavar="AGE", help="Of all that, only what was last written so long ago: 12h, 30d, 8w.")
@option("--specs", type=PATH, multiple=True, help="Specs, or folders of them, whose trials are not orphaned.")
@option("--dry-run", is_flag=True, help="Tell what would go, and remove nothing.")
@option("--yes", "-y", is_flag=True, help="Do not ask.")
@option("--format", type=OneOf(Format), default="text", help="How it is told.")
@runs_dir
def clean(
    orphaned: bool,
    checkpoints: Checkpoints | None,
    runs: tuple[str, ...],
    keep: int | None,
    prepared: bool,
    compiled: bool,
    older_than: str | None,
    specs: tuple[Path, ...],
    dry_run: bool,
    yes: bool,
    format: Format,
    runs_dir: Path,
) -> None:
    """Tell what the store and the runs hold, and how large it is; with options, remove what they ask for.

    What goes is listed first, and asked about. Trials that are being trained and runs that live stay. A trial that is
    not finished keeps its checkpoint.

    Exit 0, 1 when something cannot be read or removed, or the answer is no, 2 when there is no such folder or run.

    Example: `craftc clean --orphaned --older-than 30d --dry-run`
    """
    from craftc.cli.clean_output import print_contents, print_planned
    from craftc.runtime.cleaning.choose_removals import Wish, choose_removals, freed
    from craftc.runtime.cleaning.read_contents import read_contents
    from craftc.schemas.store_contents import Cleaning

    if older_than is not None and not (orphaned or checkpoints or runs or prepared or compiled):
        _usage("--older-than narrows --orphaned, --checkpoints, --runs, --prepared or --compiled; name one of them")
    if keep is not None and not runs:
        _usage("--keep says how many of --runs NAME stay; name them")
    if runs and keep is None and older_than is None:
        _usage("--runs needs --keep N or --older-than AGE")
    wish = Wish(
        orphaned=orphaned,
        checkpoints=checkpoints.value if checkpoints else None,
        runs=runs,
        keep=keep or 0,
        prepared=prepared,
        compiled=compiled,
        changed_before=None if older_than is None else time.time() - _seconds(older_than),
        in_specs=_in_specs(specs, runs_dir),
    )
    _check_folder(runs_dir)
    try:
        shelf = read_contents(runs_dir, wish.in_specs)
        _check_names(wish, shelf)
        planned = choose_removals(shelf, wish)
        cleaning = Cleaning(
            runs_dir=str(runs_dir), contents=shelf.contents, planned=tuple(planned), freed=freed(shelf, planned)
        )
    except OSError as error:
        click.echo(f'cannot read "{error.filename}": {error.strerror or error}; nothing was removed', err=True)
        raise Exit(1) from None
    if format is Format.TEXT:
        (print_contents if wish.is_empty else print_planned)(cleaning)
    if not wish.is_empty:
        cleaning = _carry_out(cleaning, shelf, wish, dry_run=dry_run, yes=yes)
    if format is Format.JSON:
        click.echo(cleaning.model_dump_json(indent=2))


def _carry_out(cleaning: "Cleaning", shelf: "Shelf", wish: "Wish", *, dry_run: bool, yes: bool) -> "Cleaning":
    """Ask, then remove; what came of it."""
    from craftc.cli.clean_output import describe_planned, describe_removed
    from craftc.runtime.cleaning.choose_removals import spared_runs
    from craftc.runtime.cleaning.remove import NOT_ENDED

    for run in spared_runs(shelf, wish):
        click.echo(f"{run.experiment}/{run.name} stays: {NOT_ENDED[run.life]}", err=True)
    if not cleaning.planned:
        click.echo("nothing to remove", err=True)
        return cleaning
    if dry_run:
        click.echo(f"would remove {describe_planned(cleaning)}", err=True)
        return cleaning
    if not yes:
        click.confirm(f"remove {describe_planned(cleaning)}?", abort=True, err=True)
    cleaning = _remove(cleaning, shelf, wish)
    for skipped in cleaning.skipped:
        click.echo(f"{skipped.removal.path} stays: {skipped.reason}", err=True)
    click.echo(f"removed {describe_removed(cleaning)}", err=True)
    return cleaning


def _remove(cleaning: "Cleaning", shelf: "Shelf", wish: "Wish") -> "Cleaning":
    from craftc.cli.clean_output import describe_removed
    from craftc.runtime.cleaning.remove import remove
    from craftc.schemas.store_contents import Skipped

    removed: list[Removal] = []
    skipped: list[Skipped] = []

    def so_far() -> "Cleaning":
        return cleaning.model_copy(update={"removed": tuple(removed), "skipped": tuple(skipped)})

    try:
        for outcome in remove(shelf.runs_dir, cleaning.planned, wish.in_specs):
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
            else:
                removed.append(outcome)
    except OSError as error:
        click.echo(f'cannot remove "{error.filename}": {error.strerror or error}', err=True)
        click.echo(f"removed {describe_removed(so_far())} before that", err=True)
        raise Exit(1) from None
    return so_far()


def _in_specs(paths: tuple[Path, ...], runs_dir: Path) -> frozenset[str]:
    """The fingerprints that the plans of the specs name. Raises Exit(1) on mistakes: their trials are unknown."""
    from craftc.cli.inputs.compile_file import compile_file

    files = dict.fromkeys(file for path in paths for file in _spec_files(path))
    plans = (compile_file(file, runs_dir).plan.model_dump_json() for file in files)
    return frozenset(name for plan in plans for name in re.findall(r'"([0-9a-f]{64})"', plan))


def _spec_files(path: Path) -> list[Path]:
    """A file as it is; of a folder every YAML file that says `craftc:`, none in hidden folders."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*.*") if is_yaml(file.name))
    shown = (file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))
    texts = {file: read_spec(file) for file in shown}
    return [file for file, text in texts.items() if isinstance(text, Diagnostic) or _SPEC.search(text)]


def _check_folder(runs_dir: Path) -> None:
    if not runs_dir.is_dir():
        click.echo(f'there is no folder "{runs_dir}"', err=True)
        raise Exit(2)
    store = runs_dir / "store"
    if store.is_symlink():
        # Runs in other folders may name its trials.
        click.echo(f'"{store}" is a link; name the folder of {store.resolve()} by --runs-dir', err=True)
        raise Exit(2)


def _check_names(wish: "Wish", shelf: "Shelf") -> None:
    known = {run.experiment for run in shelf.runs.values()}
    for name in wish.runs:
        if name not in known:
            _usage(f'there are no runs of "{name}"; there are runs of {", ".join(sorted(known)) or "nothing"}')


def _seconds(age: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", age.strip())
    if match is None:
        _usage(f'"{age}" is no age; write a number and m, h, d or w: 30d')
    assert match is not None
    return float(match[1]) * SECONDS[match[2]]


def _usage(message: str) -> None:
    click.echo(message, err=True)
    raise Exit(2)
