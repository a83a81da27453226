"""Commands about what is declared: validate, export-schemas, definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli import versions
from deploy.cli.validate import validate
from schemas.definition_files import load_catalogue
from schemas.export import export_schemas
from schemas.identity_files import identity_rules_of
from schemas.settings import read_settings

console = Console(highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command("export-schemas")(export)
    app.add_typer(versions.commands(), name="definitions")


def export(
    directory: Annotated[Path, typer.Argument(help="where the files go")] = Path("schemas-json"),
    catalogue: Annotated[
        Path | None, typer.Option(help="complete the names of this catalogue's touchpoints in definitions")
    ] = None,
) -> None:
    """Write the JSON Schema of every contract, and of definitions, catalogue, identity rules and watched sources for
    editors.
    """
    kinds = identity_rules_of(read_settings()).kinds
    known = load_catalogue(catalogue, kinds) if catalogue is not None else None
    for file in export_schemas(directory, known, kinds):
        console.print(str(file), markup=False)
