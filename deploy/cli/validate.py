"""`touchline validate`: every file that people write, checked as what it is, before anybody else finds out.

A file that is named takes the place of the one in force of its kind: journeys are judged by the named catalogue, the
catalogue by the named identity rules.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas.answers import answers_of
from schemas.definition import Catalogue
from schemas.definition_files import DefinitionError, load_catalogue, load_definition, load_definitions
from schemas.file_kinds import FileKind, kind_of
from schemas.identity_files import identity_file_of, load_identity_rules
from schemas.identity_rules import BUILT_IN, IdentityRules
from schemas.routes import RoutesFile, load_routes
from schemas.settings import Settings, read_settings
from schemas.sources_files import load_sources, sources_file_of

console = Console(highlight=False, soft_wrap=True)


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="journeys, touchpoints.yaml, sources.yaml, identity.yaml, routes; all of the deployment without"
        ),
    ] = None,
) -> None:
    """Check journey definitions, the touchpoint catalogue, the identity rules, the watched sources and the notifier's
    routes, each file as what it is: by its name, else by what stands in it. Each flaw is named with file, line and
    column; exit code 1 if there is one. Routes are checked when they are named, or TOUCHLINE_ROUTES_FILE is set.
    """
    check = _Check(read_settings(), files or [])
    for line in check.right:
        console.print(line, markup=False)
    for flaw in check.flaws:
        console.print(flaw, markup=False)
    if check.flaws:
        raise typer.Exit(1)


class _Check:
    """What was found: `flaws`, and a line for each file that is `right`."""

    def __init__(self, settings: Settings, files: list[Path]) -> None:
        self.right: list[str] = []
        self.flaws: list[str] = []
        self._settings, self._whole = settings, not files
        in_force = _in_force(settings)
        self._named: dict[FileKind, list[Path]] = {}
        for file in files:
            self._named.setdefault(kind_of(file, in_force), []).append(file)
        if set(self._named) != {"routes"}:
            self._deployment(in_force)
        self._routes(self._of("routes", in_force) if self._whole else self._named.get("routes", []))

    def _of(self, kind: FileKind, in_force: Mapping[Path, FileKind]) -> list[Path]:
        """The named ones, else the one in force."""
        return self._named.get(kind) or [file for file, known in in_force.items() if known == kind]

    def _deployment(self, in_force: Mapping[Path, FileKind]) -> None:
        rules = BUILT_IN
        identity = self._of("identity", in_force)
        for file in identity:
            try:
                rules = load_identity_rules(file)
            except DefinitionError as error:
                self.flaws.append(str(error))
            else:
                self.right.append(f"{file}: identity rules; {_personal(rules)}")
        if not identity:
            self.right.append("identity rules: built in, no identity.yaml lies here")
        known: Catalogue | None = None
        for file in self._of("catalogue", in_force):
            try:
                known = load_catalogue(file, rules.kinds)
            except DefinitionError as error:
                self.flaws.append(str(error))
            else:
                answers = [answer.journey for answer in answers_of(known)]
                made = f"; journeys made of it: {', '.join(answers)}" if answers else ""
                self.right.append(f"{file}: {len(known.touchpoints)} touchpoints{made}")
        if known is None:  # Without it nothing can be said of the others.
            return
        self._journeys(known)
        for file in self._of("sources", in_force):
            try:
                watched = tuple(load_sources(file, known).sources)
            except DefinitionError as error:
                self.flaws.append(str(error))
            else:
                self.right.append(f"{file}: watched: {', '.join(watched) or 'nothing'}")

    def _journeys(self, catalogue: Catalogue) -> None:
        directory, before = self._settings.definitions_dir, len(self.flaws)
        for file in sorted(directory.glob("*.yaml")) if self._whole else self._named.get("journey", []):
            try:
                one = load_definition(file, catalogue)
            except DefinitionError as error:
                self.flaws.append(str(error))
            else:
                self.right.append(f"{file}: {one.journey} version {one.version}, {len(one.steps)} steps")
        if not self._whole:
            return
        self.flaws += [
            f"{file}:1:1: only *.yaml is read here. Name it {file.with_suffix('.yaml').name}, or move it away."
            for file in sorted(directory.glob("*.yml"))
        ]
        if len(self.flaws) == before:
            try:
                load_definitions(directory, catalogue)
            except DefinitionError as error:
                self.flaws.append(str(error))  # Each is right, and they cannot lie side by side.

    def _routes(self, files: list[Path]) -> None:
        for file in files:
            try:
                routes = load_routes(file, _Everything())
            except DefinitionError as error:
                self.flaws.append(str(error))
                continue
            missing = sorted(name for name in _variables(routes) if not os.environ.get(name))
            lacking = f"; not set here, and the notifier needs: {', '.join(missing)}" if missing else ""
            self.right.append(f"{file}: routes {', '.join(routes.routes)}{lacking}")


def _in_force(settings: Settings) -> dict[Path, FileKind]:
    found: dict[Path, FileKind] = {settings.catalogue_file: "catalogue"}
    others: list[tuple[Path | None, FileKind]] = [
        (identity_file_of(settings), "identity"),
        (sources_file_of(settings), "sources"),
        (settings.routes_file, "routes"),
    ]
    return found | {file: kind for file, kind in others if file is not None}


def _personal(rules: IdentityRules) -> str:
    own = f"; kinds of its own: {', '.join(rules.kinds.added)}" if rules.kinds.added else ""
    return f"personal: {', '.join(rules.personal_kinds) or 'nothing'}{own}"


def _variables(routes: RoutesFile) -> set[str]:
    """Which the file names, and of which only the notifier's machine needs a value."""
    parts = ("url_env", "secret_env")
    found = {getattr(route.target, part, None) for route in routes.routes.values() for part in parts}
    return {name for name in found if name is not None}


class _Everything(Mapping[str, str]):
    """An environment in which every variable is set: whether the file is right does not hang on whose shell this is."""

    def __getitem__(self, name: str) -> str:
        return "https://set.example/in"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
