"""Commands about what is declared: validate, export-schemas, definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.cli import versions
from schemas.answers import answers_of
from schemas.definition_files import DefinitionError, load_catalogue, load_definition, load_definitions
from schemas.export import export_schemas
from schemas.identity_files import USUAL_FILE, identity_file_of, identity_rules_of, load_identity_rules
from schemas.identity_rules import BUILT_IN
from schemas.settings import read_settings
from schemas.sources_files import USUAL_FILE as USUAL_SOURCES
from schemas.sources_files import load_sources, sources_file_of

console = Console(highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command("export-schemas")(export)
    app.add_typer(versions.commands(), name="definitions")


def validate(
    files: Annotated[list[Path] | None, typer.Argument(help="definition files; all of the deployment without")] = None,
) -> None:
    """Check journey definitions, the catalogue, the identity rules and the watched sources. Each flaw is named with
    file, line and column; exit code 1 if there is one.
    """
    settings = read_settings()
    flaws: list[str] = []
    identity_file, sources_file = identity_file_of(settings), sources_file_of(settings)
    others: list[Path] = []
    for file in files or sorted(settings.definitions_dir.glob("*.yaml")):
        if _is_the(USUAL_FILE, file, identity_file):
            identity_file = file
        elif _is_the(USUAL_SOURCES, file, sources_file):
            sources_file = file
        else:
            others.append(file)
    rules = BUILT_IN
    if identity_file is not None:
        try:
            rules = load_identity_rules(identity_file)
        except DefinitionError as error:
            flaws.append(str(error))
    try:
        catalogue = load_catalogue(settings.catalogue_file, rules.kinds)
    except DefinitionError as error:
        for flaw in (*flaws, str(error)):
            console.print(flaw, markup=False)
        raise typer.Exit(1) from error
    for file in others:
        try:
            definition = load_definition(file, catalogue)
            console.print(
                f"{file}: {definition.journey} version {definition.version}, {len(definition.steps)} steps",
                markup=False,
            )
        except DefinitionError as error:
            flaws.append(str(error))
    if not files:
        flaws += [
            f"{file}:1:1: only *.yaml is read here. Name it {file.with_suffix('.yaml').name}, or move it away."
            for file in sorted(settings.definitions_dir.glob("*.yml"))
        ]
    if not files and not flaws:
        try:
            load_definitions(settings.definitions_dir, catalogue)
        except DefinitionError as error:
            flaws.append(str(error))  # Each is right, and they cannot lie side by side.
    watched: tuple[str, ...] = ()
    if sources_file is not None:
        try:
            watched = tuple(load_sources(sources_file, catalogue).sources)
        except DefinitionError as error:
            flaws.append(str(error))
    for flaw in flaws:
        console.print(flaw, markup=False)
    if flaws:
        raise typer.Exit(1)
    answers = [answer.journey for answer in answers_of(catalogue)]
    made = f"; journeys made of it: {', '.join(answers)}" if answers else ""
    console.print(f"{settings.catalogue_file}: {len(catalogue.touchpoints)} touchpoints{made}", markup=False)
    if identity_file is None:
        console.print("identity rules: built in, no identity.yaml lies here", markup=False)
    else:
        personal = ", ".join(rules.personal_kinds) or "nothing"
        own = f"; kinds of its own: {', '.join(rules.kinds.added)}" if rules.kinds.added else ""
        console.print(f"{identity_file}: identity rules; personal: {personal}{own}", markup=False)
    if sources_file is not None:
        console.print(f"{sources_file}: watched: {', '.join(watched) or 'nothing'}", markup=False)


def _is_the(name: Path, file: Path, usual: Path | None) -> bool:
    """Whether somebody who names this file means rules or sources rather than a journey."""
    return file.name == name.name or (usual is not None and file.absolute() == usual.absolute())


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
