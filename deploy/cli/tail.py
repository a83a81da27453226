"""`touchline tail`: what the collector accepts and refuses, live. Goes on by itself when the collector comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Annotated, Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import typer
from rich.console import Console

from deploy.cli.tail_text import dropped_text, line_text
from deploy.embedded.process import EmbeddedError
from deploy.keys import load_secrets
from deploy.stack import Stack
from schemas.settings import Settings, read_settings

SILENCE_SECONDS: Final = 30.0
"""The collector writes at least an empty line every ten."""
AGAIN_SECONDS: Final = 1.0
LINE_BYTES_MAX: Final = 64 * 1024
RECENT_MAX: Final = 500

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)


def register(app: typer.Typer) -> None:
    app.command()(tail)


@dataclass(frozen=True, slots=True)
class Filter:
    """`source` None: all."""

    refused: bool
    source: str | None

    def takes(self, line: dict[str, Any]) -> bool:
        return (not self.refused or line["verdict"] == "refused") and self.source in (None, line["source"])


def tail(
    refused: Annotated[bool, typer.Option("--refused", help="only refused ones")] = False,
    source: Annotated[str | None, typer.Option(help="only from this source")] = None,
    recent: Annotated[int, typer.Option(min=0, max=RECENT_MAX, help="begin with so many; of 500 with a filter")] = 20,
    url: Annotated[str | None, typer.Option(help="of a collector elsewhere; the one of `up` without")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Touchpoints as the collector accepts and refuses them, until Ctrl-C. Identifiers and properties are not shown."""
    settings = read_settings()
    address = url or collector_of(settings, must_run=True)
    token = token_of(settings)
    wanted = Filter(refused, source)
    filtered = refused or source is not None
    connected, told, count = False, False, RECENT_MAX if filtered and recent else recent
    try:
        while True:
            try:
                for line in lines(address, token, count):
                    if not connected:
                        errors.print(f"[dim]connected to {address}; Ctrl-C ends[/dim]")
                        connected, told, count = True, False, 0
                    show(line, wanted, as_json)
            except HTTPError as error:
                if error.code in (401, 403):
                    raise EmbeddedError(REFUSED) from None
                reason = f"status {error.code}"
            except (URLError, HTTPException, OSError) as error:
                reason = type(error).__name__
            else:
                reason = "it ended the connection"
            if not told:
                errors.print(f"[yellow]the collector is away ({reason}); trying again every second[/yellow]")
            connected, told = False, True
            time.sleep(AGAIN_SECONDS)
            address = url or collector_of(settings, must_run=False)
    except KeyboardInterrupt:
        return


REFUSED: Final = (
    "the collector does not take this admin token: set TOUCHLINE_ADMIN_TOKEN to the one it was started with"
)


def token_of(settings: Settings) -> str:
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    return load_secrets(settings.data_dir.absolute()).admin_token


def collector_of(settings: Settings, *, must_run: bool) -> str:
    """Looked up each time: its port may change with a restart. Raises EmbeddedError when it must run and does not."""
    stack = Stack(settings)
    stack.attach()
    part = stack.parts.get("collector")
    if part is None and must_run:
        raise EmbeddedError(
            f"no collector runs in {settings.data_dir}: `touchline up` starts one; for another deployment set "
            "TOUCHLINE_DATA_DIR, or TOUCHLINE_ADMIN_TOKEN and --url"
        )
    return f"http://127.0.0.1:{part.health_port if part else settings.collector_port}"


def lines(address: str, token: str, count: int) -> Iterator[dict[str, Any]]:
    """First an empty one when the connection stands. Raises URLError, OSError, HTTPException."""
    request = Request(f"{address}/v1/tail?recent={count}", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urlopen(request, timeout=SILENCE_SECONDS) as answer:  # noqa: S310 the address is the operator's
        yield {}
        while text := answer.readline(LINE_BYTES_MAX):
            if text.strip():
                yield json.loads(text)


def show(line: dict[str, Any], wanted: Filter, as_json: bool) -> None:
    if "dropped" in line:
        errors.print(dropped_text(line["dropped"]))
    elif line and wanted.takes(line):
        console.print(json.dumps(line) if as_json else line_text(line), markup=False)
