"""`touchline definitions`: every version with its mode, and the switch. Here is only what talks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from deploy.author import author
from deploy.backtest.asked import read_moment, read_name
from deploy.definitions.versions import Standing, Switched, arrived, others_that_end, standings, switches
from deploy.embedded.process import EmbeddedError
from deploy.identity.asked import Unclear
from deploy.identity.setting import setting_of
from deploy.identity.words import when
from deploy.rows import Rows
from deploy.spoken import speak
from deploy.stack import Stack
from schemas.control_records import Switch
from schemas.definition import Definition
from schemas.definition_files import locate_definitions
from schemas.fast import encode
from schemas.identity_files import catalogue_of
from schemas.records import Mode
from schemas.settings import Settings, read_settings
from schemas.yaml_file import nearest

POLL_SECONDS: Final = 0.5
REASON_MAX: Final = 500
BY_MAX: Final = 100
STYLES: Final = {"live": "green", "shadow": "yellow", "off": "dim"}
Located = list[tuple[Definition, Path | None]]
console = Console(highlight=False, soft_wrap=True)


def commands() -> typer.Typer:
    found = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="Versions of definitions: which one is in force, and the switch (docs/definitions.md).",
    )
    found.command("list")(list_)
    found.command()(switch)
    return found


def list_(name: Annotated[str | None, typer.Argument(metavar="NAME", help="only this journey")] = None) -> None:
    """Every version of every definition: its mode now, since when and why, what is to come, and its file."""
    settings = read_settings()
    located = _located(settings)
    if name is not None:
        _known(located, name)
        located = [one for one in located if one[0].journey == name]
    switched: list[Switched] = []
    stack = Stack(settings)
    stack.attach()
    try:
        with Rows(stack) as rows:
            switched = switches(rows.ask)
    except EmbeddedError as error:
        console.print(f"what was switched is not known ({error}); these are the modes of the files", markup=False)
    console.print(screen(standings(located, switched, _now())))


def switch(
    version: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="which version, as in checkout@2")],
    mode: Annotated[Mode, typer.Argument(help="what it is from then on")],
    reason: Annotated[str, typer.Option(help="why: whoever looks next will read it")] = "",
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="for journeys that start from then on; now without")
    ] = None,
    by: Annotated[str | None, typer.Option(help="who decided; your login name without it")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask, for scripts")] = False,
    wait: Annotated[int, typer.Option(min=0, max=600, help="seconds to wait until it is in force")] = 60,
) -> None:
    """Put a version in another mode, for journeys that start from now on. Whoever is under way stays as they began."""
    if not reason.strip():
        raise Unclear("give a --reason: whoever wonders why it is in this mode will read it")
    settings = read_settings()
    located = _located(settings)
    name, number = _meant(located, version)
    now = _now()
    said = Switch(
        definition=name,
        version=number,
        mode=mode,
        from_at=now if since is None else read_moment(since),
        reason=reason.strip()[:REASON_MAX],
        decided_by=author(by)[:BY_MAX],
        decided_at=now,
    )
    stack = Stack(settings)
    stack.attach()
    setting = setting_of(stack)
    with Rows(stack) as rows:
        before = standings(located, switches(rows.ask), max(now, said.from_at))
        if is_so_already(said, before):
            console.print(f"{name}@{number} is {mode} already, and nothing else is to come: nothing is switched")
            return
        console.print("\n".join(expected(said, before)), markup=False)
        if not yes:
            typer.confirm("Switch it?", abort=True)
        speak(setting.kafka, setting.topic_prefix, "switch", encode(said), setting.secret())
        if not wait:
            console.print("It is sent. `touchline definitions list` shows when it is in force.")
            return
        from_at = _until_arrived(rows, said, wait)
        if from_at is None:
            console.print(
                f"It is sent, but not in force after {wait} s. Is a worker at work, and the loader? "
                "`touchline status` tells; nothing has to be sent again.",
                style="yellow",
            )
            raise typer.Exit(1)
        console.print(f"In force for journeys that start from {when(from_at)} UTC on.")
        now_known = standings([one for one in located if one[0].journey == name], switches(rows.ask), _now())
        console.print(screen(now_known))


def is_so_already(said: Switch, before: list[Standing]) -> bool:
    """Whether the switch would change nothing, neither of this version nor of another of its name. What only the file
    says so far is not so for good: a switch makes it that, whatever the file says later.
    """
    (own,) = [one for one in before if (one.definition, one.version) == (said.definition, said.version)]
    others = others_that_end(before, said.definition, said.version, said.mode)
    return own.mode == said.mode and own.since is not None and own.next is None and not others


def expected(said: Switch, before: list[Standing]) -> list[str]:
    """What will come of it, in words."""
    title = f"{said.definition}@{said.version}"
    (own,) = [one for one in before if (one.definition, one.version) == (said.definition, said.version)]
    means = {
        "live": "journeys that start then are told of",
        "shadow": "journeys that start then are stored, and nobody is told",
        "off": "no journey starts under it",
    }
    lines = [f"{title} is {own.mode}; from {when(said.from_at)} UTC on it is {said.mode}: {means[said.mode]}."]
    for version in others_that_end(before, said.definition, said.version, said.mode):
        lines.append(f"{said.definition}@{version} is live until then, and begins nothing more from then on.")
    return [*lines, "Journeys under way go on as they began, under the version they began with."]


def screen(found: list[Standing]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("definition", "mode", "since (UTC)", "why", "to come (UTC)", "file"):
        table.add_column(column, overflow="fold", no_wrap=column == "definition")
    for one in found:
        cause = one.switched
        why = ""
        if cause is not None:
            gave_way = cause.turn.version != one.version
            why = f"version {cause.turn.version} went live" if gave_way else f"{cause.reason} ({cause.decided_by})"
        table.add_row(
            f"{one.definition}@{one.version}",
            f"[{STYLES[one.mode]}]{one.mode}[/]",
            "its file" if one.since is None else when(one.since),
            _plain(why),
            "" if one.next is None else f"{one.next[1]} {when(one.next[0])}",
            "the catalogue" if one.file is None else _plain(one.file.name),
        )
    return table


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _located(settings: Settings) -> Located:
    return locate_definitions(settings.definitions_dir, catalogue_of(settings))


def _known(located: Located, name: str) -> list[int]:
    """Its versions."""
    versions = [definition.version for definition, _ in located if definition.journey == name]
    if not versions:
        names = {definition.journey for definition, _ in located}
        raise Unclear(f"no definition here is named {name!r}.{nearest(name, names)}")
    return sorted(versions)


def _meant(located: Located, text: str) -> tuple[str, int]:
    name, version = read_name(text)
    versions = _known(located, name)
    if version is None and len(versions) == 1:
        return name, versions[0]
    if version not in versions:
        listed = ", ".join(f"{name}@{one}" for one in versions)
        what = "say which version" if version is None else f"{name} has no version {version} here"
        raise Unclear(f"{what}: {listed}")
    return name, version


def _until_arrived(rows: Rows, said: Switch, seconds: int) -> int | None:
    give_up = time.monotonic() + seconds
    with console.status("waiting until the workers have it"):
        while (from_at := arrived(rows.ask, said)) is None and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
    return from_at


def _now() -> int:
    return int(time.time() * 1000)
