"""`python -m sources.collector`: the collector as a process. Reads the environment, serves until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from schemas.control import control_headers
from schemas.fast import encode
from schemas.records import Beat
from sources.collector.app import Options, build_collector, runner_of
from sources.collector.beats import BeatRecord
from sources.collector.keys import KeyFileError, WriteKeys, load_keys
from sources.collector.produce import Record


@dataclass(frozen=True, slots=True)
class Start:
    host: str
    port: int
    keys: Path
    options: Options


def beat_record_of(secret: bytes) -> BeatRecord:
    def beat_record(partition: int, at: int) -> Record:
        value = encode(Beat(log_time=at))
        return Record(partition, None, value, list(control_headers("beat", partition, value, secret)), at)

    return beat_record


def start_of(environment: Mapping[str, str]) -> Start:
    simulation = environment.get("TOUCHLINE_RUN", "live") == "simulation"
    return Start(
        environment.get("TOUCHLINE_COLLECTOR_HOST", "127.0.0.1"),
        int(environment.get("TOUCHLINE_COLLECTOR_PORT", "8300")),
        Path(environment["TOUCHLINE_WRITE_KEYS"]),
        Options(
            environment["KAFKA_BOOTSTRAP_SERVERS"],
            environment.get("TOUCHLINE_TOPIC_PREFIX", "") + "touchpoints.raw",
            simulation=simulation,
            beat_record=None if simulation else beat_record_of(environment["TOUCHLINE_CONTROL_SECRET"].encode()),
            admin_token=environment.get("TOUCHLINE_ADMIN_TOKEN"),
        ),
    )


async def serve(start: Start, keys: WriteKeys) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    collector = build_collector(start.options, keys, now=lambda: time.time_ns() // 1_000_000)
    runner = runner_of(collector.app)
    await runner.setup()
    try:
        await web.TCPSite(runner, start.host, start.port, backlog=1_024).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    try:
        start = start_of(os.environ)
        keys = load_keys(start.keys)
        asyncio.run(serve(start, keys))
    except (KeyFileError, OSError) as error:
        print(f"collector: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
