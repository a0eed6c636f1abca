"""craftc migrate: specs of an older version of the language, rewritten in this one."""

import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from click.exceptions import Exit

from craftc.cli.inputs.read_spec import read_spec
from craftc.cli.parameters import PATH, command, option
from craftc.cli.show_diagnostics import count, show_diagnostics
from craftc.compiler.pipeline import named_files
from craftc.compiler.versions.migrate import Migrated
from craftc.compiler.versions.migrate import migrate as migrate_text
from craftc.compiler.versions.migration import Migration
from craftc.compiler.versions.migrations import MIGRATIONS
from craftc.schemas.diagnostic import Diagnostic

_MARK = "\ufeff"


@dataclass(frozen=True)
class _File:
    """A file as it is, what it becomes, and the spec that names it."""

    path: Path
    text: str
    migrated: Migrated
    named_by: Path | None


@command()
@click.argument("paths", type=PATH, nargs=-1, required=True, metavar="SPEC...", help="Specs.")
@option("--write", is_flag=True, help="Rewrite the files; without, show what would change.")
@option("--check", is_flag=True, help="Change nothing; exit 1 where something would.")
def migrate(paths: tuple[Path, ...], write: bool, check: bool) -> None:
    """Rewrite specs of an older version of the language, and the files that they name. Comments and layout are kept.

    Shows the changes as a diff, unless one of the options says otherwise. Exit 1 when a file cannot be rewritten; then
    none is.

    Example: `craftc migrate specs/vit_ablation.yaml --write`
    """
    if write and check:
        raise click.BadParameter("--write and --check exclude each other")
    if not migrate_files(paths, write=write, check=check):
        raise Exit(1)


def migrate_files(
    paths: Sequence[Path], *, write: bool, check: bool, migrations: tuple[Migration, ...] = MIGRATIONS
) -> bool:
    """Whether all went well; with `check`, whether nothing is to be done."""
    files: dict[Path, _File] = {}
    refusals: list[Diagnostic] = []
    for path in paths:
        refusals += _take_up(path, None, None, files, migrations)
    refusals += [refusal for file in files.values() for refusal in file.migrated.diagnostics]
    if refusals:
        show_diagnostics(refusals, {str(file.path): file.text for file in files.values()}, sys.stdout)
        click.echo(f"nothing is rewritten: {count(len(refusals), 'place')} to see to first", err=True)
        return False
    changed = [file for file in files.values() if file.migrated.text != file.text]
    for file in changed:
        named = f", which {file.named_by} names" if file.named_by else ""
        done = "rewritten" if write else "to be rewritten"
        click.echo(f"{file.path}{named}: {done}: {'; '.join(file.migrated.steps)}", err=True)
        if write:
            _write(file)
        elif not check:
            click.echo(_difference(file), nl=False)
    if len(changed) < len(files):
        click.echo(f"{count(len(files) - len(changed), 'file')} with nothing to change", err=True)
    return not (check and changed)


def _take_up(
    path: Path,
    named_by: _File | None,
    version: int | None,
    files: dict[Path, _File],
    migrations: tuple[Migration, ...],
) -> list[Diagnostic]:
    """Migrate a file, and those that it names, if that is not done yet; what of them cannot be read."""
    if path.resolve() in files:
        return []
    readable = read_spec(path)
    if isinstance(readable, Diagnostic):
        return [readable]
    text = path.read_bytes().decode("utf-8").removeprefix(_MARK)
    migrated = migrate_text(text, str(path), version, migrations)
    file = _File(path, text, migrated, named_by.path if named_by else None)
    files[path.resolve()] = file
    refusals = []
    if not migrated.diagnostics:
        for name in named_files(text, str(path)):
            refusals += _take_up(Path(name), file, migrated.version, files, migrations)
    return refusals


def _write(file: _File) -> None:
    from craftc.training.foundation.atomic_file import write_atomically

    # Not a link to it: that would become a file of its own.
    path = file.path.resolve()
    mode = path.stat().st_mode
    mark = _MARK if path.read_bytes().startswith(_MARK.encode()) else ""
    write_atomically(path, (mark + file.migrated.text).encode("utf-8"))
    path.chmod(mode)


def _difference(file: _File) -> str:
    before, after = (text.splitlines(keepends=True) for text in (file.text, file.migrated.text))
    lines = difflib.unified_diff(before, after, str(file.path), str(file.path))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
