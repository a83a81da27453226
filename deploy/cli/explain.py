"""`touchline explain`: a journey definition in sentences and as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.definition import Catalogue, Definition
from schemas.definition_files import find_definition, load_definition
from schemas.explain_diagram import diagram
from schemas.explain_prose import prose
from schemas.identity_files import catalogue_of
from schemas.settings import read_settings


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    definition: Annotated[str, typer.Argument(help="a definition file, or the name of a journey of this deployment")],
    catalogue: Annotated[Path | None, typer.Option(help="the touchpoint catalogue; the deployment's without")] = None,
    only_diagram: Annotated[bool, typer.Option("--diagram", help="the Mermaid diagram alone")] = False,
) -> None:
    """Say in plain words what a definition watches, when its alerts fire and when they end; with a Mermaid diagram."""
    settings = read_settings()
    known = catalogue_of(settings, catalogue)
    typer.echo(explained(_found(definition, settings.definitions_dir, known), known, only_diagram), nl=False)


def explained(definition: Definition, catalogue: Catalogue, only_diagram: bool) -> str:
    """Markdown, or the diagram without a fence."""
    drawing = diagram(definition)
    return drawing if only_diagram else f"{prose(definition, catalogue)}\n## Diagram\n\n```mermaid\n{drawing}```\n"


def _found(said: str, directory: Path, catalogue: Catalogue) -> Definition:
    file = Path(said)
    is_file = file.suffix in (".yaml", ".yml") or "/" in said or file.is_file()
    return load_definition(file, catalogue) if is_file else find_definition(said, directory, catalogue)
