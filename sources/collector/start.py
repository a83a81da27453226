"""From a deployment's settings to a collector that listens; `python -m sources.collector` and the demo begin here."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import structlog
from aiohttp import web

from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.fast import encode, fast_type
from schemas.identity_files import identity_reader_of
from schemas.settings import Settings, SettingsError, kafka_client_options, no_place
from sources.collector.app import Collector, Options, build_collector
from sources.collector.beats import BeatRecord
from sources.collector.http import runner_of
from sources.collector.key_file import KeyFile
from sources.collector.produce import Record

BACKLOG = 1_024
"""Connections that wait to be accepted."""

log = structlog.get_logger()
_beat = fast_type(Beat)


def beat_record_of(secret: bytes) -> BeatRecord:
    def beat_record(partition: int, at: int) -> Record:
        value = encode(_beat(log_time=at))
        return Record(partition, None, value, list(control_headers("beat", partition, value, secret)), at)

    return beat_record


def options_of(settings: Settings) -> Options:
    """Raises SettingsError, and DefinitionError for identity rules that cannot be used."""
    if settings.run not in ("live", "simulation"):
        raise SettingsError(f"TOUCHLINE_RUN: a collector serves a live run or a simulation, not a {settings.run}")
    beat_record = None
    if settings.run == "live" and settings.beats == "collector":
        if settings.control_secret is None:
            raise SettingsError("TOUCHLINE_CONTROL_SECRET: required, because the collector writes beats")
        beat_record = beat_record_of(settings.control_secret.get_secret_value().encode())
    token = settings.admin_token
    return Options(
        settings.kafka_bootstrap_servers,
        f"{settings.topic_prefix}touchpoints.raw",
        simulation=settings.run == "simulation",
        beat_record=beat_record,
        beat_interval_ms=settings.beat_interval_ms,
        admin_token=None if token is None else token.get_secret_value(),
        kafka=kafka_client_options(settings),
        reader=identity_reader_of(settings),
    )


def collector_of(settings: Settings, write_keys_file: Path | None = None) -> Collector:
    """Not yet running. Raises SettingsError, DefinitionError and KeyFileError."""
    keys = KeyFile(write_keys_file or settings.write_keys_file)
    return build_collector(options_of(settings), keys, now=lambda: time.time_ns() // 1_000_000)


async def serve(collector: Collector, host: str, port: int, stop: asyncio.Event) -> None:
    """Until `stop` is set; then what is under way is answered first. `port` 0: any free one, which the log names.

    Raises SettingsError when it cannot listen there.
    """
    runner = runner_of(collector.app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise no_place("TOUCHLINE_COLLECTOR_HOST", "TOUCHLINE_COLLECTOR_PORT", host, port, error) from error
        log.info("collector_started", addresses=[f"{at[0]}:{at[1]}" for at in runner.addresses])
        await stop.wait()
    finally:
        await runner.cleanup()
        log.info("collector_stopped")
