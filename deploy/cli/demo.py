"""`touchline demo`: everything on one machine, with simulated customers."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.demo.live import LiveWish, run_live
from deploy.demo.once import Wish, run_once
from deploy.stack import KILLABLE
from schemas.settings import read_settings

STANDARD_OUTPUT = Path("-")
console = Console(highlight=False, stderr=True, soft_wrap=True, markup=False)


# During an outage the clients of the demo itself say what the collector's answers and the retries say already.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="run to the end without a terminal, then judge the results")
    ] = False,
    seed: Annotated[int, typer.Option(help="the same seed gives the same run")] = 7,
    touchpoints: Annotated[int, typer.Option(min=500, max=5_000_000, help="how many are sent")] = 100_000,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="with --once: write the figures, which are printed anyway, to FILE, too (-: only printed)",
        ),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="keep script, bytes and results in this folder")] = None,
    kill: Annotated[str | None, typer.Option(help=f"SIGKILL three times: {', '.join(KILLABLE)}")] = None,
    workers: Annotated[int, typer.Option(min=1, max=12, help="worker processes")] = 1,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="with --once: all definitions over the stored touchpoints, too")
    ] = False,
    routes: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="the notifier tells whom this file names, too")
    ] = None,
    pace: Annotated[float, typer.Option(min=0.1, max=120, help="live: minutes of log time a second")] = 15,
    rate: Annotated[float, typer.Option(min=10, max=5_000, help="live: touchpoints a second, about")] = 300,
    seconds: Annotated[float | None, typer.Option(min=1, help="live: end by itself after so many")] = None,
) -> None:
    """Simulated customers in web, app and store, with planted incidents, on real Kafka and ClickHouse. Without --once
    on one screen until Ctrl-C.
    """
    if not once:
        _live(LiveWish(seed, pace, rate, workers, seconds, routes))
        return
    if kill is not None and kill not in KILLABLE:
        console.print(f"touchline: --kill takes one of {', '.join(KILLABLE)}")
        raise typer.Exit(2)
    home = Path(tempfile.mkdtemp(prefix="touchline-demo-"))
    began = time.monotonic()
    try:
        settings = read_settings(data_dir=home / "data", run="simulation", topic_prefix="demo.")
        wish = Wish(seed, touchpoints, export or home / "export", kill, workers, routes, backtest)
        verdict = run_once(settings, wish, lambda text: console.print(f"{time.monotonic() - began:7.1f} s  {text}"))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    figures = json.dumps(verdict.figures, indent=2)
    if json_file is not None and json_file != STANDARD_OUTPUT:
        json_file.write_text(figures + "\n")
    typer.echo(figures)
    for difference in verdict.differences:
        console.print(f"differs: {difference}")
    if not verdict.right:
        raise typer.Exit(1)
    console.print("nothing differs from the script")


def _live(wish: LiveWish) -> None:
    """Ctrl-C and SIGTERM are the ordinary end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        run_live(wish, Console(), lambda text: console.print(f"{time.monotonic() - began:7.1f} s  {text}"))
    except KeyboardInterrupt:
        pass
    console.print("everything is stopped, nothing is left behind")
