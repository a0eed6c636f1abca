"""craftc schema: the JSON Schema of the language, or of one field."""

import json
from typing import Annotated

import typer

from craftc.compiler.catalogue import built_in_catalogue
from craftc.schemas.diagnostic import parse_path


def schema(
    path: Annotated[
        str | None, typer.Argument(help="A field, such as training.early_stopping; all by default.", show_default=False)
    ] = None,
) -> None:
    """Print the JSON Schema of the language, or of one field, with its documentation.

    Example: `craftc schema training.early_stopping`
    """
    from craftc.compiler.json_schema import json_schema, schema_at

    whole = json_schema(built_in_catalogue())
    try:
        shown = whole if path is None else schema_at(whole, parse_path(path))
    except KeyError as error:
        typer.echo(f'there is no field "{error.args[0]}"; craftc schema prints them all', err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps(shown, indent=2))
