"""craftc schema: the JSON Schema of the language, or what there is to know of one field or component."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.exceptions import Exit

from craftc.cli.parameters import OneOf, command, option
from craftc.compiler.language.catalogue import built_in_catalogue
from craftc.compiler.reading.problem import did_you_mean, one_of
from craftc.schemas.catalogue import ComponentEntry, Group
from craftc.schemas.diagnostic import parse_path

if TYPE_CHECKING:
    from craftc.compiler.language.component_fields import ComponentField
    from craftc.compiler.language.field_docs import FieldDocs


class Format(StrEnum):
    """How it is written."""

    TEXT = "text"
    JSON = "json"


@command()
@click.argument(
    "path",
    required=False,
    help="A field, such as training.early_stopping or model.kind; the whole language by default.",
)
@option("--kind", help="A component, built in or your own as package.module:Name.")
@option(
    "--format",
    type=OneOf(Format),
    help="text is for people, json a JSON Schema. Of the whole language json, else text.",
)
def schema(path: str | None, kind: str | None, format: Format | None) -> None:
    """Print what there is to know of a field or a component, or the JSON Schema of the language.

    Example: `craftc schema model --kind scanline_vit`
    """
    from craftc.compiler.language.field_docs import UnknownPathError, component_docs, field_docs
    from craftc.compiler.language.json_schema import entry_schema, json_schema, schema_at

    as_json = format is Format.JSON or (format is None and path is None and kind is None)
    language = json_schema(built_in_catalogue())
    try:
        if kind is not None:
            field, entry, argument = _component(path, kind)
            docs = component_docs(entry, field, argument)
            whole = entry_schema(entry)
            _print((whole if argument is None else whole["properties"][argument]) if as_json else docs)
            return
        docs = field_docs(language, built_in_catalogue(), path or "")
    except UnknownPathError as error:
        click.echo(str(error), err=True)
        raise Exit(2) from None
    if not as_json:
        _print(docs)
    elif path is None:
        from craftc.compiler.language.editor_schema import experiment_schema

        _print(experiment_schema(built_in_catalogue()))
    else:
        _print(schema_at(language, parse_path(path)))


def _component(path: str | None, kind: str) -> tuple["ComponentField", ComponentEntry, str | None]:
    """The field that takes a component of that kind, the component, and the argument that the path names, if it does.

    Raises UnknownPathError.
    """
    from craftc.compiler.language.component_fields import component_fields
    from craftc.compiler.language.field_docs import UnknownPathError, component_of
    from craftc.compiler.own_code.import_path import import_folders
    from craftc.compiler.own_code.signature import TargetError, read_component

    catalogue = built_in_catalogue()
    named, argument = path.removesuffix(".kind") if path is not None else None, None
    field = component_of(parse_path(named)) if named else None
    if named and field is None:
        parent, _, name = named.rpartition(".")
        field, argument = component_of(parse_path(parent)), name
    if named and field is None:
        takers = one_of(".".join(map(str, field.path)) for field in component_fields())
        raise UnknownPathError(f'"{named}" takes no components; {takers} do')
    fields = [field] if field is not None else list(component_fields())
    if ":" in kind:
        if field is None:
            raise UnknownPathError(f"name the field that takes it: craftc schema model --kind {kind}")
        try:
            folders = import_folders(Path.cwd() / "spec.yaml")
            return field, read_component(cast(Group, field.group), kind, kind, folders), argument
        except TargetError as error:
            raise UnknownPathError(error.message + (f"; {error.hint}" if error.hint else "")) from None
    for candidate in fields:
        entry = catalogue.find(candidate.group, kind)
        if entry is not None:
            return candidate, entry, argument
    known = [name for candidate in fields for name in catalogue.kinds(candidate.group)]
    where = f" of {named}" if named else ""
    raise UnknownPathError(
        f'"{kind}" is not a kind{where}; {did_you_mean(kind, known) or f"known are {one_of(known)}"}'
    )


def _print(shown: "FieldDocs | dict[str, Any]") -> None:
    if isinstance(shown, dict):
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(Text(shown.title, style="bold"))
        for paragraph in filter(None, shown.text.split("\n\n")):
            console.print(Text(f"{paragraph}\n"))
        facts = Table.grid(padding=(0, 2))
        for name, said in (*shown.facts, *([("example", shown.example)] if shown.example else [])):
            facts.add_row(Text(name, style="dim"), Text(said))
        console.print(facts)
        if shown.rows:
            table = Table(box=box.SIMPLE_HEAD)
            for column in shown.header:
                table.add_column(column, overflow="fold")
            for row in shown.rows:
                table.add_row(*map(Text, row))
            console.print(table)
        if shown.notes:
            console.print(Text(shown.notes if shown.rows else f"\n{shown.notes}"))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
