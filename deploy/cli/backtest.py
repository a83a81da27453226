"""`touchline backtest`: what a definition would have raised over the touchpoints that are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from deploy.backtest.asked import is_file, read_duration, read_moment
from deploy.backtest.run import NothingStored, Report, Setting, Wish
from deploy.backtest.run import backtest as run_backtest
from deploy.backtest.screen import screen
from deploy.backtest.stored import Store
from deploy.backtest.ticks import AS_LIVE, Ticks
from deploy.identity.asked import Unclear
from deploy.identity.setting import browsers_of
from deploy.rows import Rows
from deploy.stack import Stack
from schemas.definition import Catalogue, Definition
from schemas.definition_files import find_definition, load_definition
from schemas.identity_files import catalogue_of, identity_rules_of
from schemas.identity_reader import IdentityReader
from schemas.settings import Settings, read_settings
from schemas.sources_files import sources_of

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def register(app: typer.Typer) -> None:
    app.command()(backtest)


def backtest(
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION_FILE", help="the definition to try")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="log time, a day or RFC 3339; the first one without")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="the same; the last one without")] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME[@VERSION]", help="run this one, too, or a file; without, the stored alerts"),
    ] = None,
    catalogue: Annotated[Path | None, typer.Option(help="the touchpoint catalogue; the deployment's without")] = None,
    tick: Annotated[
        str | None, typer.Option(metavar="DURATION", help="how often time passed; 250 ms without, as live")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, for programs")] = False,
) -> None:
    """Run a definition over the stored touchpoints, and say what it would have raised. Nothing is sent or stored."""
    settings = read_settings()
    known = catalogue_of(settings, catalogue)
    wish = Wish(
        load_definition(definition, known),
        known,
        None if since is None else read_moment(since),
        None if until is None else read_moment(until),
        None if against is None else _other(against, settings, known),
    )
    if wish.since is not None and wish.until is not None and wish.since > wish.until:
        raise Unclear(f"--from {since} is later than --to {until}")
    ticks = AS_LIVE if tick is None else Ticks(read_duration(tick))
    stack = Stack(settings)
    stack.attach()
    try:
        report = _run(stack, wish, ticks)
    except NothingStored as error:
        errors.print(f"touchline: {error}")
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        console.print(screen(report))


def _other(said: str, settings: Settings, catalogue: Catalogue) -> Definition:
    if is_file(said):
        return load_definition(Path(said), catalogue)
    return find_definition(said, settings.definitions_dir, catalogue)


def _run(stack: Stack, wish: Wish, ticks: Ticks) -> Report:
    reader = IdentityReader(identity_rules_of(stack.settings))  # Of business keys, so without secrets.
    setting = Setting(
        stack.settings.horizon_ms, reader.usable_of, ticks, sources=sources_of(stack.settings, wish.catalogue)
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Rows(stack) as rows, Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("touchpoints", total=None)
        store = Store(rows.ask, rows.stream, browsers_of(stack))
        return run_backtest(wish, store, setting, lambda seen, count: bar.update(task, completed=seen, total=count))
